"""log: silent in a script, plain lines in a command."""

import logging

import pytest

from tl_keras import log


def test_nothing_is_shown_unless_somebody_asks(capfd):
    log.info("a phase begins")
    assert capfd.readouterr() == ("", "")


def test_a_script_hears_what_it_asks_for(caplog, capfd):
    caplog.set_level(logging.INFO, "tl_keras")
    log.info("100 % of a phase")
    assert caplog.messages == ["100 % of a phase"]
    assert capfd.readouterr().out == ""


def test_a_command_shows_lines_once_and_as_they_are(capsys):
    with log.on_console(), log.on_console():
        log.info("phase head: %s of it")
        log.warn("not saved")
    log.info("after it")
    assert capsys.readouterr() == ("phase head: %s of it\n", "not saved\n")
    assert log.LOGGER.handlers == []
    assert log.LOGGER.propagate
    assert log.LOGGER.level == logging.NOTSET


def test_an_error_leaves_the_logger_as_it_was():
    with pytest.raises(ValueError, match="in it"), log.on_console():
        raise ValueError("in it")
    assert log.LOGGER.handlers == []
