"""One clock: frame, step, beat and cursor are floors of one phase, and time is never lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptacl_app.drawing.playback import NUM_STEPS, PlaybackClock
from ptacl_app.terminal.back_pressure import FrameCount

PEAKS = (0.5, 1.5, 2.3, 3.3)


def make(**changes):
    return PlaybackClock(
        **{"r_peak_times_s": PEAKS, "num_frames": 50, "cine_cycle_s": 1.0, **changes}
    )


def test_real_time_is_the_cycle_of_the_cine():
    clock = make()
    clock.play(10.0)
    position = clock.tick(10.35)
    assert position.frame == 17
    assert position.step == 4
    assert position.cursor_s == pytest.approx(0.85)
    assert clock.tick(11.5).beat == 1


def test_without_a_cine_every_beat_lasts_as_long_as_it_did():
    clock = make(num_frames=None, cine_cycle_s=None)
    clock.play(0.0)
    for now, cursor in ((0.25, 0.75), (1.2, 1.7), (1.9, 2.4)):
        assert clock.tick(now).cursor_s == pytest.approx(cursor)
        assert clock.position.frame is None


def test_unstated_frame_interval_takes_the_beats_length():
    clock = make(cine_cycle_s=None)
    clock.play(0.0)
    assert clock.tick(1.0 + 0.4).phase == pytest.approx(0.5)  # beat 2 lasts 0.8 s


@given(st.lists(st.floats(0.001, 0.7), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_dropped_ticks_do_not_slow_the_clock(gaps):
    smooth, jumpy = make(), make()
    smooth.play(0.0)
    jumpy.play(0.0)
    total = sum(gaps)
    now = 0.0
    for gap in gaps:
        now += gap
        smooth.tick(now)
    jumpy.tick(total)
    assert smooth.position.phase == pytest.approx(jumpy.position.phase, abs=1e-6) or abs(
        smooth.position.phase - jumpy.position.phase
    ) == pytest.approx(1.0, abs=1e-6)


@given(st.floats(0, 0.999999))
@settings(deadline=None)
def test_frame_and_step_follow_from_the_phase(phase):
    clock = make()
    clock.seek_phase(phase)
    position = clock.position
    assert position.frame == int(clock.phase * 50)
    assert position.step == int(clock.phase * NUM_STEPS)


@pytest.mark.parametrize("step", range(NUM_STEPS))
def test_seeking_a_step_lands_in_it(step):
    clock = make()
    clock.seek_step(step)
    assert clock.position.step == step


def test_frame_steps_pause_and_wrap_into_the_next_beat():
    clock = make()
    clock.play(0.0)
    clock.seek_frame_in_beat(49)
    clock.change_frame(1)
    assert not clock.is_playing
    assert (clock.position.frame, clock.position.beat) == (0, 1)
    clock.change_frame(-1)
    assert (clock.position.frame, clock.position.beat) == (49, 0)
    clock.change_frame(-50)
    assert (clock.position.frame, clock.position.beat) == (49, 2)


def test_steps_take_the_place_of_frames_without_a_cine():
    clock = make(num_frames=None, cine_cycle_s=None)
    clock.change_frame(1)
    assert clock.position.step == 1
    clock.change_frame(-2)
    assert (clock.position.step, clock.position.beat) == (12, 2)


def test_last_beat_starts_again_at_the_first():
    clock = make()
    clock.play(0.0)
    assert [clock.tick(now).beat for now in (0.5, 1.5, 2.5, 3.5)] == [0, 1, 2, 0]


def test_seeking_a_time_finds_its_beat_and_phase():
    clock = make()
    clock.seek_time(1.9)
    assert (clock.position.beat, clock.phase) == (1, pytest.approx(0.5))
    clock.seek_time(9.0)
    assert clock.position.beat == 1


def test_speed_scales_time():
    clock = make()
    clock.change_speed(-1)
    assert clock.speed == 0.5
    clock.play(0.0)
    assert clock.tick(0.5).phase == pytest.approx(0.25)
    for _ in range(9):
        clock.change_speed(1)
    assert clock.speed == 2.0


def test_nothing_to_play():
    clock = PlaybackClock()
    clock.play(0.0)
    assert not clock.is_playing
    assert clock.tick(5.0).cursor_s is None


def test_one_peak_is_no_beat():
    clock = PlaybackClock(r_peak_times_s=(0.4,))
    assert clock.num_beats == 0
    assert not clock.can_play


def test_a_long_sleep_costs_no_long_loop():
    clock = make()
    clock.play(0.0)
    assert clock.tick(10 * 24 * 3600.25).phase == pytest.approx((10 * 24 * 3600.25) % 1.0, abs=1e-3)


def test_dropped_frames_are_counted_and_said():
    frames = FrameCount()
    for number in range(50):
        frames.note(number / 25, is_drawn=number % 3 == 0)
    assert frames.describe(25) == "8/25 fps"
    for number in range(50, 100):
        frames.note(number / 25, is_drawn=True)
    assert frames.describe(25) == ""
    frames.clear()
    frames.note(9.0, is_drawn=False)
    assert frames.describe(25) == ""
