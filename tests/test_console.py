"""console and progress: who owns the terminal, and what stands on it."""

import io
import logging
import os
import re
import types

import pytest

from tl_keras import log, progress
from tl_keras.console import Console, error_line, on_console, styled
from tl_keras.console.bar import bar_line, sentence
from tl_keras.console.console import wrapped


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "UTF-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch) -> Terminal:
    stream = Terminal()
    # Not sys.stdout, which pytest sets anew before the test is called.
    streams = types.SimpleNamespace(stdout=stream, stderr=io.StringIO())
    monkeypatch.setattr("tl_keras.console.console.sys", streams)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return stream


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def heard(console: Console, line: str, **extra) -> None:
    record = logging.LogRecord("t", logging.INFO, "", 0, line, (), None)
    record.__dict__.update(extra)
    console.handle(record)


def test_a_command_shows_lines_once_and_as_they_are(capsys):
    with on_console(), on_console():
        log.info("phase head: %s of it")
        log.warn("not saved")
    log.info("after it")
    assert capsys.readouterr() == ("phase head: %s of it\n", "not saved\n")
    assert log.LOGGER.handlers == []
    assert log.LOGGER.propagate
    assert log.LOGGER.level == logging.NOTSET


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_letters_that_an_encoding_lacks_are_written_by_number(
    monkeypatch, encoding
):
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding)
    monkeypatch.setattr("sys.stdout", stream)
    with on_console():
        log.info("class 東京")
    assert written.getvalue() == b"class \\u6771\\u4eac\n"


def test_an_error_leaves_the_logger_as_it_was():
    with pytest.raises(ValueError, match="in it"), on_console():
        raise ValueError("in it")
    assert log.LOGGER.handlers == []


def test_quiet_shows_results_and_warnings_alone(capsys):
    with on_console(quiet=True):
        log.info("on the way")
        log.passing("head 1/3")
        log.result("test accuracy: 0.9")
        log.warn("not saved")
    assert capsys.readouterr() == ("test accuracy: 0.9\n", "not saved\n")


def test_for_a_program_stdout_stays_empty(capsys):
    with on_console(to_stderr=True):
        log.info("on the way")
        log.result("done")
    assert capsys.readouterr() == ("", "on the way\ndone\n")


@pytest.mark.parametrize("columns", [10, 30, 40, 80, 200])
def test_a_bar_fits_its_terminal(columns):
    work = progress.Work("features", 3670, "pictures", began=0.0)
    for now in range(1, 6):
        work.done = 600 * now
        work._first = 1.0, 600
        line = bar_line(work, float(now), columns)
        assert len(line) < columns
        assert line.startswith("features"[: columns - 1])


def test_a_bar_says_how_many_how_fast_and_how_long():
    work = progress.Work("features", 300, "pictures", 100, 0.0, (2.0, 20))
    line = bar_line(work, 6.0, 80)
    # 80 pictures in 4 s: 200 more take 10.
    assert line.endswith("100 of 300 pictures  10 s left  20/s")
    assert line.count("━") * 2 == pytest.approx(line.count("─"), abs=2)
    assert bar_line(work, 6.0, 80, plain=True).isascii()
    assert sentence(work, 6.0) == (
        "features: 100 of 300 pictures, 10 s left, 20/s"
    )


def test_what_cannot_be_counted_says_how_long_it_takes():
    work = progress.Work("writing the SavedModel", began=0.0)
    assert bar_line(work, 75.0, 80) == "writing the SavedModel  1 min 15 s"


def test_work_is_counted_where_nobody_listens():
    assert progress.current() is None
    with progress.doing("exporting"):
        for item in progress.counted("ab", "verifying", 2):
            assert progress.current().what == "verifying"
            assert progress.current().done == "ab".index(item)
        assert progress.current().what == "exporting"
    assert progress.current() is None


def test_work_that_fails_is_under_way_no_more():
    with pytest.raises(ValueError, match="broken"), progress.doing("reading"):
        raise ValueError("broken")
    assert progress.current() is None


def test_counted_work_of_seconds_leaves_a_line(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "tl_keras")
    times = iter([0.0, 1.0, 65.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    work = progress.doing("reading", 90, "pictures")
    with work as under_way:
        under_way.advance(90)
    assert caplog.messages == ["reading: 90 pictures in 1 min 5 s"]


def test_elsewhere_work_is_told_once_a_minute(capsys):
    clock = Clock()
    console = Console(clock=clock)
    with progress.doing("features", 900, "pictures") as work:
        work.began = clock.now
        for _ in range(150):
            clock.now += 1.0
            work.advance(2)
            console.tick()
    lines = capsys.readouterr().out.splitlines()
    # After 10 s, 70 s and 130 s.
    assert [re.match(r"features: (\d+) of 900", li)[1] for li in lines] == [
        "20", "140", "260",
    ]  # fmt: skip


def test_elsewhere_the_first_and_the_last_epoch_stand(capsys):
    clock = Clock()
    console = Console(clock=clock)
    for epoch in range(1, 21):
        clock.now += 1.0
        heard(console, f"head {epoch}/20", passing=True)
    heard(console, "phase head: done")
    assert capsys.readouterr().out.splitlines() == [
        "head 1/20", "head 20/20", "phase head: done",
    ]  # fmt: skip


def test_epochs_of_minutes_have_a_line_each_everywhere(capsys):
    clock = Clock()
    console = Console(clock=clock)
    for epoch in range(1, 4):
        clock.now += 90.0
        heard(console, f"head {epoch}/3", passing=True)
    assert capsys.readouterr().out.splitlines() == [
        "head 1/3", "head 2/3", "head 3/3",
    ]  # fmt: skip


def screen(written: str) -> list[str]:
    """What a terminal shows in the end of what was written to it."""
    lines = [""]
    for part in re.split(r"(\r\x1b\[K|\n)", written):
        if part == "\n":
            lines.append("")
        elif part == "\r\x1b[K":
            lines[-1] = ""
        else:
            lines[-1] += re.sub(r"\x1b\[[\d;]*m", "", part)
    return lines


def test_on_a_terminal_one_line_is_written_anew(terminal):
    clock = Clock()
    console = Console(clock=clock)
    heard(console, "data: 3 found")
    with progress.doing("reading", 3, "pictures") as work:
        for _ in range(3):
            console.tick()
            work.advance()
        heard(console, "a line in between")
        console.tick()
        assert screen(terminal.getvalue())[-1].startswith("reading")
    console.tick()
    console.end()
    assert screen(terminal.getvalue()) == [
        "data: 3 found", "a line in between", "",
    ]  # fmt: skip


def test_on_a_terminal_quick_epochs_share_a_line(terminal):
    clock = Clock()
    console = Console(clock=clock)
    for epoch in range(1, 21):
        clock.now += 0.2
        heard(console, f"head {epoch}/20", passing=True)
        console.tick()
    console.end()
    shown = screen(terminal.getvalue())
    assert shown == ["head 1/20", "head 20/20", ""]


def test_long_lines_are_broken_for_a_terminal_and_commands_are_not(terminal):
    console, line = Console(), "word " * 40
    heard(console, line.strip())
    heard(console, line.strip(), whole=True)
    first, *others = terminal.getvalue().splitlines()
    assert len(first) < 80
    assert all(other.startswith("  ") for other in others[:-1])
    assert others[-1] == line.strip()
    path = "/a/very/long/path" * 9
    assert path in wrapped(f"page: {path}", 80).split("\n")[-1]


@pytest.mark.parametrize(
    ("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")]
)
def test_colour_is_for_terminals_that_want_it(
    name, value, terminal, monkeypatch
):
    assert styled("a", "bad", io.StringIO()) == "a"
    assert error_line("a", terminal) == "\x1b[1;31merror:\x1b[0m a"
    monkeypatch.setenv(name, value)
    assert error_line("a", terminal) == "error: a"


def test_a_dumb_terminal_is_told_as_a_file_is(terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    console = Console()
    with progress.doing("reading", 3, "pictures"):
        console.tick()
    assert terminal.getvalue() == ""


def test_a_terminal_without_a_size_has_80_columns(terminal):
    with pytest.raises((OSError, io.UnsupportedOperation)):
        os.get_terminal_size(terminal.fileno())
    console = Console()
    with progress.doing("reading", 300, "pictures"):
        console.tick()
    assert 60 < len(screen(terminal.getvalue())[-1]) < 80


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"), (4.24, "4.2 s"), (9.99, "10.0 s"), (10.4, "10 s"),
        (59.4, "59 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"),
        (3599.4, "59 min 59 s"), (3600, "1 h 0 min"), (7800, "2 h 10 min"),
    ],
)  # fmt: skip
def test_seconds_are_told_in_the_units_that_people_use(seconds, words):
    assert progress.in_words(seconds) == words
