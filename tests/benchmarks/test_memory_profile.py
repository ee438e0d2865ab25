"""What is alive at the peak, from a list of allocations and releases."""

from benchmarks.memory_profile import Event, peak


def test_the_peak_holds_what_is_alive_when_most_is_the_largest_first():
    a, b, c, d = (Event(at, address, size) for at, address, size in [(0, 1, 10), (1, 2, 30), (3, 1, 25), (5, 3, 5)])
    timeline = [a, b, Event(2, 1, None), c, Event(4, 2, None), d]
    assert peak(timeline) == [b, c]


def test_an_address_that_is_used_again_holds_the_newer_allocation():
    timeline = [Event(0, 1, 50), Event(1, 1, 20), Event(2, 2, 20)]
    assert [event.size for event in peak(timeline)] == [50]
    assert peak([]) == []
