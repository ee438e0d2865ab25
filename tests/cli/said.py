"""What the command line says."""

from pathlib import Path

from tests.integration import tiny


def told(capsys):
    """Standard output and error, each on one line."""
    return tuple(" ".join(text.split()) for text in capsys.readouterr())


def refused(capsys, *arguments):
    """What the command line says when it refuses these arguments."""
    assert tiny.run(*arguments) == 1
    warned, _, error = told(capsys)[1].rpartition("error: ")
    assert not warned or warned.startswith("warning: ")
    assert "Traceback" not in warned + error
    assert not [stage for stage in Path().glob("runs/*/*") if stage.is_dir()]
    return error
