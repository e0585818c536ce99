"""log: silent, unless a script asks."""

import logging

from tl_keras import log


def test_nothing_is_shown_unless_somebody_asks(capfd):
    log.info("a phase begins")
    assert capfd.readouterr() == ("", "")


def test_a_script_hears_what_it_asks_for(caplog, capfd):
    caplog.set_level(logging.INFO, "tl_keras")
    log.info("100 % of a phase")
    assert caplog.messages == ["100 % of a phase"]
    assert capfd.readouterr().out == ""
