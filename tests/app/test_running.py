"""What a running service changes about its process."""

import gc

from commonroom.app.running import COLLECT_AFTER, collecting_seldom


def test_the_collector_looks_seldom_and_never_at_what_was_there_before():
    threshold, frozen = gc.get_threshold(), gc.get_freeze_count()
    with collecting_seldom():
        assert gc.get_threshold()[0] == COLLECT_AFTER
        assert gc.get_freeze_count() > frozen
    assert (gc.get_threshold(), gc.get_freeze_count()) == (threshold, 0)
