"""Of many cases of one kind the suite takes some; `.ci/slow` runs all."""

import pytest


def leave_out(items):
    """Marks as slow what is marked `merge`, and of a test that is marked `every(n)` all cases but the first and every n-th after it."""
    seen = {}
    for item in items:
        if item.get_closest_marker("merge"):
            item.add_marker(pytest.mark.slow)
        if mark := item.get_closest_marker("every"):
            test = (item.path, item.originalname)
            seen[test] = seen.get(test, -1) + 1
            if seen[test] % mark.args[0]:
                item.add_marker(pytest.mark.slow)


def sampled(cases, *usual):
    """Parameters of which all but the usual ones are slow."""
    return [case if case in usual else pytest.param(case, marks=pytest.mark.slow) for case in cases]
