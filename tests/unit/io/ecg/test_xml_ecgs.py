"""CardioSoft, MUSE, Philips and aECG written from their formats: round trips and traps."""

import numpy as np
import pytest

from ptacl_core.io import read_ecg
from ptacl_core.io.ecg.batch import iter_recordings
from ptacl_core.records import LEAD_NAMES, EcgRecord

EIGHT = ("I", "II", *LEAD_NAMES[6:])


def codes(record):
    return [finding.code for finding in record.findings]


def read_text(tmp_path, text, encoding="utf-8", **hints):
    path = tmp_path / "a.xml"
    path.write_bytes(text.encode(encoding))
    return read_ecg(path, **hints)


@pytest.fixture
def steps(files):
    return files.make_steps(1000)


# CardioSoft


def test_cardiosoft_strip_not_median(files, tmp_path, steps):
    record = read_text(tmp_path, files.cardiosoft_xml(steps), "latin-1")
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))
    assert codes(record) == []


def test_cardiosoft_nested_strip_and_foreign_order(files, tmp_path, steps):
    text = files.cardiosoft_xml(steps[::-1], labels=[lead.upper() for lead in LEAD_NAMES[::-1]])
    text = text.replace("<StripData>", "<Strip><StripData>")
    text = text.replace("</StripData>", "</StripData></Strip>")
    np.testing.assert_array_equal(read_text(tmp_path, text).signal_mv, files.to_mv(steps))


def test_cardiosoft_device_beats_and_measurements(files, tmp_path, steps):
    text = files.cardiosoft_xml(
        steps,
        arrhythmia="<ArrhythmiaResults>"
        '<Time units="ms">300</Time><BeatClass>N</BeatClass>'
        '<Time units="ms">1101</Time><BeatClass>V</BeatClass>'
        '<Time units="ms">99999</Time><BeatClass>N</BeatClass></ArrhythmiaResults>',
        measurements='<VentricularRate units="BPM">75</VentricularRate>'
        '<PQInterval units="ms"></PQInterval><QRSDuration units="ms">88</QRSDuration>'
        '<QTInterval units="ms">400</QTInterval><QTCInterval>0</QTCInterval><RAxis>-12</RAxis>',
    )
    record = read_text(tmp_path, text)
    assert record.device_r_peak_samples is not None
    assert record.device_r_peak_samples.tolist() == [150, 550]
    assert dict(record.device_measurements) == {
        "heart_rate_bpm": 75.0,
        "qrs_ms": 88.0,
        "qt_ms": 400.0,
        "axis_deg": -12.0,
    }


def test_cardiosoft_sentinel(files, tmp_path, steps):
    steps[3, :4] = -32768
    record = read_text(tmp_path, files.cardiosoft_xml(steps))
    assert np.isnan(record.signal_mv).sum() == 4 and np.isnan(record.signal_mv[3, :4]).all()


def test_cardiosoft_second_strip_is_told(files, tmp_path, steps):
    text = files.cardiosoft_xml(steps)
    strip = text[text.index("<StripData>") : text.index("</CardiologyXML>")]
    record = read_text(tmp_path, text.replace(strip, strip + strip.replace(",", ",0")))
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))
    assert codes(record) == ["several_recordings"]


# MUSE


def test_muse_eight_leads_and_derivation(files, tmp_path, steps):
    record = read_text(tmp_path, files.muse_of(steps), "latin-1")
    np.testing.assert_allclose(record.signal_mv, files.to_mv(steps), atol=1e-6)
    assert codes(record) == ["derived_leads"]


def test_muse_twelve_leads_in_any_order(files, tmp_path, steps):
    leads = "".join(
        files.muse_lead(lead.upper(), row, units_per_bit="0.005", units="MILLIVOLTS")
        for lead, row in reversed(list(zip(LEAD_NAMES, steps, strict=True)))
    )
    record = read_text(tmp_path, files.muse_xml(leads, num_leads=12))
    np.testing.assert_allclose(record.signal_mv, files.to_mv(steps), atol=1e-6)
    assert codes(record) == []


def test_muse_sample_base_240_is_believed_and_confirmed_by_the_beats(files, tmp_path, steps):
    times = "".join(f"<QRS><Number>{n}</Number><Time>{60 + 141 * n}</Time></QRS>" for n in range(6))
    rate = "<VentricularRate>102</VentricularRate>"
    text = files.muse_of(steps, base="240", times=times, measurements=rate)
    record = read_text(tmp_path, text)
    assert record.sampling_rate_hz == 240.0
    assert record.device_r_peak_samples is not None
    assert record.device_r_peak_samples.tolist() == [60 + 141 * n for n in range(6)]
    assert codes(record) == ["derived_leads"]


def test_muse_rate_that_the_beats_contradict_is_told(files, tmp_path, steps):
    times = "".join(f"<QRS><Time>{60 + 141 * n}</Time></QRS>" for n in range(6))
    text = files.muse_of(
        steps, base="500", times=times, measurements="<VentricularRate>102</VentricularRate>"
    )
    record = read_text(tmp_path, text)
    assert codes(record) == ["sampling_rate_suspect", "derived_leads"]
    assert "213 bpm at 500 Hz" in record.findings[0].message
    assert record.device_r_peak_samples is None


def test_muse_beats_counted_at_the_measurement_base(files, tmp_path, steps):
    """Rhythm at 250 Hz, beats counted at 500 Hz: told apart by the ventricular rate."""
    times = "".join(f"<QRS><Time>{100 + 400 * n}</Time></QRS>" for n in range(4))
    rate = "<VentricularRate>75</VentricularRate><ECGSampleBase>500</ECGSampleBase>"
    record = read_text(tmp_path, files.muse_of(steps, base="250", times=times, measurements=rate))
    assert record.device_r_peak_samples is not None
    assert record.device_r_peak_samples.tolist() == [50, 250, 450, 650]


@pytest.mark.parametrize("base", ["500", "250"])
def test_muse_beats_counted_in_milliseconds(files, tmp_path, steps, base):
    """As real exports have them: neither a warning nor lost beats, whatever the rate."""
    times_ms = [120 + 300 * n for n in range(6)]
    times = "".join(f"<QRS><Time>{time}</Time></QRS>" for time in times_ms)
    rate = "<VentricularRate>200</VentricularRate><ECGSampleBase>500</ECGSampleBase>"
    record = read_text(tmp_path, files.muse_of(steps, base=base, times=times, measurements=rate))
    expected = [time * int(base) // 1000 for time in times_ms]
    assert record.device_r_peak_samples is not None
    assert record.device_r_peak_samples.tolist() == expected
    assert codes(record) == ["derived_leads"]


def test_muse_export_of_several_ecgs(files, tmp_path, steps):
    one = files.muse_of(steps).split("\n", 2)[2]
    path = tmp_path / "two.xml"
    path.write_text(f"<ECGs>{one}{files.muse_of(-steps).split(chr(10), 2)[2]}</ECGs>")
    keys, (first, second) = zip(*iter_recordings(path), strict=True)
    assert keys == ("0", "1")
    assert isinstance(first, EcgRecord)
    assert isinstance(second, EcgRecord)
    np.testing.assert_allclose(second.signal_mv, -first.signal_mv)


def test_muse_sample_exponent(files, tmp_path, steps):
    record = read_text(tmp_path, files.muse_of(steps, base="5", exponent="2"))
    assert record.sampling_rate_hz == 500.0


def test_muse_limits_and_lead_off(files, tmp_path, steps):
    steps[6, 10] = 32767
    steps[6, 20:25] = -32768
    leads = "".join(
        files.muse_lead(
            lead,
            steps[LEAD_NAMES.index(lead)],
            units_per_bit="5",
            off="TRUE" if lead == "V3" else "FALSE",
        )
        for lead in EIGHT
    )
    record = read_text(tmp_path, files.muse_xml(leads))
    assert np.flatnonzero(np.isnan(record.signal_mv[6])).tolist() == [10, 20, 21, 22, 23, 24]
    assert codes(record) == ["lead_off", "derived_leads", "out_of_range", "missing_samples"]
    assert record.findings[0].leads == ("V3",)


def test_muse_limits_that_are_none_are_passed_over(files, tmp_path, steps):
    """Some carts write a LeadLowLimit of 268435456, above every sample."""
    text = files.muse_of(steps).replace("Limit>-32768<", "Limit>268435456<")
    record = read_text(tmp_path, text.replace("Limit>32767<", "Limit>2147483647<"))
    np.testing.assert_allclose(record.signal_mv, files.to_mv(steps), atol=1e-6)
    assert codes(record) == ["derived_leads"]


# Philips


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_philips_uncompressed(files, tmp_path, steps, encoding):
    text = files.philips_xml(steps)
    if encoding == "utf-16":
        text = text.replace('encoding="UTF-8"', 'encoding="UTF-16"')
    record = read_text(tmp_path, text, encoding)
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))
    assert codes(record) == []


def test_philips_uncompressed_residuals_are_recognised_by_einthoven(files, tmp_path, steps):
    residual = steps.copy()
    one, two, three = steps[0], steps[1], steps[2]
    residual[2] = two - one - three
    residual[3] = -steps[3] - (one + two) // 2
    residual[4] = (one - three) // 2 - steps[4]
    residual[5] = (two + three) // 2 - steps[5]
    record = read_text(tmp_path, files.philips_xml(residual))
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))


def test_philips_tail_without_pulse(files, tmp_path):
    steps = files.make_steps(5500)
    steps[:, 5300:] = 0
    steps[:, 5350:5450] = 200
    record = read_text(tmp_path, files.philips_xml(steps))
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps[:, :5000]))
    assert codes(record) == ["tail_cut"] and "1.00 s" in record.findings[0].message


def test_philips_long_recording_without_tail_is_kept(files, tmp_path):
    record = read_text(tmp_path, files.philips_xml(files.make_steps(6000)))
    assert record.duration_s == 12.0 and codes(record) == []


def test_philips_unknown_version_is_told(files, tmp_path, steps):
    record = read_text(tmp_path, files.philips_xml(steps, version="2.0"))
    assert codes(record) == ["unverified_version"]


# HL7 aECG


def test_aecg_round_trip(files, tmp_path, steps):
    record = read_text(tmp_path, files.aecg_xml(files.aecg_series(steps)))
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))
    assert codes(record) == []


@pytest.mark.parametrize(
    ("value", "unit", "rate_hz"),
    [("0.002", "s", 500.0), ("2", "ms", 500.0), ("4000", "us", 250.0), ("0.001", "s", 1000.0)],
)
def test_aecg_time_steps(files, tmp_path, steps, value, unit, rate_hz):
    time = (
        '<component><sequence><code code="TIME_RELATIVE"/><value><head value="0"/>'
        f'<increment value="{value}" unit="{unit}"/></value></sequence></component>'
    )
    record = read_text(tmp_path, files.aecg_xml(files.aecg_series(steps, time=time)))
    assert record.sampling_rate_hz == rate_hz


def test_aecg_origin_is_added(files, tmp_path, steps):
    text = files.aecg_xml(files.aecg_series(steps)).replace(
        '<origin value="0" unit="uV"/>', '<origin value="0.25" unit="mV"/>'
    )
    np.testing.assert_allclose(
        read_text(tmp_path, text).signal_mv, files.to_mv(steps) + 0.25, atol=1e-6
    )


def test_aecg_first_of_several_series_or_the_one_asked_for(files, tmp_path, steps):
    other = files.make_steps(500, seed=3)
    text = files.aecg_xml(files.aecg_series(steps), files.aecg_series(other))
    record = read_text(tmp_path, text)
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))
    assert codes(record) == ["several_recordings"]
    second = read_text(tmp_path, text, record_index=1)
    np.testing.assert_array_equal(second.signal_mv, files.to_mv(other))


def test_aecg_representative_beat_alone_is_not_taken(files, tmp_path, steps):
    """Leads under derivation/derivedSeries are invisible even when they are complete."""
    beat = files.aecg_series(np.full((12, 600), 77))
    text = files.aecg_xml(files.aecg_series(steps)).replace(
        "<code code='REPRESENTATIVE_BEAT'/>", f"<code code='REPRESENTATIVE_BEAT'/>{beat}"
    )
    np.testing.assert_array_equal(read_text(tmp_path, text).signal_mv, files.to_mv(steps))


def test_aecg_representative_beat_as_a_series_of_its_own_is_not_taken(files, tmp_path, steps):
    beat = files.aecg_series(np.full((12, 600), 77))
    text = files.aecg_xml(beat, files.aecg_series(steps))
    record = read_text(tmp_path, text.replace("'RHYTHM'", "'REPRESENTATIVE_BEAT'", 1))
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))
    assert codes(record) == []
