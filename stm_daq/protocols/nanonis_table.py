"""Table of the Nanonis commands: name, arguments, return values, in wire order.

In Set commands of BiasSpectr and Scan.Props a switch is 0 no change, 1 on, 2 off (in Get 0 off,
1 on); elsewhere 0 off, 1 on.

Source: SPECS, "Nanonis TCP Protocol", R14718 (2025).
"""

from __future__ import annotations

_TIMING = (
    "z_averaging:f z_offset:f initial_settling:f slew_rate:f "
    "settling:f integration:f end_settling:f z_control:f"
)
_SEGMENTS = (
    "segments:i start:f[segments] end:f[segments] initial_settling:f[segments] "
    "settling:f[segments] integration:f[segments] steps:i[segments] "
)
_SPEED = "forward:f backward:f forward_time:f backward_time:f keep:H ratio:f"
_FRAME = "x:f y:f width:f height:f angle:f"
_LINE = "x1:f y1:f x2:f y2:f"

ROWS = (
    ("Bias.Set", "bias:f", ""),
    ("Bias.Get", "", "bias:f"),
    ("Bias.RangeSet", "range:H", ""),
    ("Bias.RangeGet", "", "ranges:strs range:H"),
    ("Bias.CalibrSet", "calibration:f offset:f", ""),
    ("Bias.CalibrGet", "", "calibration:f offset:f"),
    # z controller: 0 as it is, 1 hold, 2 do not hold; reference: 0 as it is, 1 relative, 2 absolute
    ("Bias.Pulse", "wait:I width:f bias:f z_controller:H reference:H", ""),
    ("Current.Get", "", "current:f"),
    ("Current.GainSet", "gain:i filter:i", ""),
    ("Current.GainsGet", "", "gains:strs gain:i filters:strs filter:i"),
    ("Current.CalibrSet", "gain:i calibration:d offset:d", ""),
    ("Current.CalibrGet", "gain:i", "calibration:d offset:d"),
    # Bias spectroscopy; Start answers when the sweep is over if get_data is 1, else at once
    ("BiasSpectr.Open", "", ""),
    ("BiasSpectr.Start", "get_data:I base_name:str", "channels:strs data:f[,] parameters:f[]"),
    ("BiasSpectr.Stop", "", ""),
    ("BiasSpectr.StatusGet", "", "running:I"),
    ("BiasSpectr.ChsSet", "channels:i[]", ""),
    ("BiasSpectr.ChsGet", "", "channels:i[] names:strs"),
    (
        "BiasSpectr.PropsSet",
        "save_all:H sweeps:i backward:H points:i z_offset:f autosave:H dialog:H",
        "",
    ),
    (
        "BiasSpectr.PropsGet",
        "",
        "save_all:H sweeps:i backward:H points:i parameters:strs fixed:strs autosave:H dialog:H",
    ),
    ("BiasSpectr.AdvPropsSet", "reset_bias:H hold:H final_z:H lockin:H", ""),
    ("BiasSpectr.AdvPropsGet", "", "reset_bias:H hold:H final_z:H lockin:H"),
    ("BiasSpectr.LimitsSet", "start:f end:f", ""),
    ("BiasSpectr.LimitsGet", "", "start:f end:f"),
    ("BiasSpectr.TimingSet", _TIMING, ""),
    ("BiasSpectr.TimingGet", "", _TIMING),
    ("BiasSpectr.DigSyncSet", "sync:H", ""),
    ("BiasSpectr.DigSyncGet", "", "sync:H"),
    ("BiasSpectr.TTLSyncSet", "line:H polarity:H time_to_on:f duration:f", ""),
    ("BiasSpectr.TTLSyncGet", "", "line:H polarity:H time_to_on:f duration:f"),
    ("BiasSpectr.AltZCtrlSet", "on:H setpoint:f settling:f", ""),
    ("BiasSpectr.AltZCtrlGet", "", "on:H setpoint:f settling:f"),
    ("BiasSpectr.ZOffRevertSet", "revert:h", ""),
    ("BiasSpectr.ZOffRevertGet", "", "revert:H"),
    ("BiasSpectr.MLSLockinPerSegSet", "on:I", ""),
    ("BiasSpectr.MLSLockinPerSegGet", "", "on:I"),
    ("BiasSpectr.MLSModeSet", "mode:str", ""),
    ("BiasSpectr.MLSModeGet", "", "mode:str"),
    ("BiasSpectr.MLSValsSet", _SEGMENTS + "lockin:i[segments]", ""),
    ("BiasSpectr.MLSValsGet", "", _SEGMENTS + "lockin:I[segments]"),
    # Z controller. Status: 1 off, 2 on, 3 hold, 4 switching off, 5 safe tip, 6 withdrawing
    ("ZCtrl.ZPosSet", "z:f", ""),
    ("ZCtrl.ZPosGet", "", "z:f"),
    ("ZCtrl.OnOffSet", "on:I", ""),
    ("ZCtrl.OnOffGet", "", "on:I"),
    ("ZCtrl.SetpntSet", "setpoint:f", ""),
    ("ZCtrl.SetpntGet", "", "setpoint:f"),
    ("ZCtrl.GainSet", "p:f time_constant:f i:f", ""),
    ("ZCtrl.GainGet", "", "p:f time_constant:f i:f"),
    ("ZCtrl.SwitchOffDelaySet", "delay:f", ""),
    ("ZCtrl.SwitchOffDelayGet", "", "delay:f"),
    ("ZCtrl.TipLiftSet", "lift:f", ""),
    ("ZCtrl.TipLiftGet", "", "lift:f"),
    ("ZCtrl.Home", "", ""),
    # reference: in Set 0 as it is, 1 absolute, 2 relative; in Get 0 relative, 1 absolute
    ("ZCtrl.HomePropsSet", "reference:H position:f", ""),
    ("ZCtrl.HomePropsGet", "", "reference:H position:f"),
    ("ZCtrl.ActiveCtrlSet", "controller:i", ""),
    ("ZCtrl.CtrlListGet", "", "controllers:strs active:i"),
    ("ZCtrl.Withdraw", "wait:I timeout_ms:i", ""),
    ("ZCtrl.WithdrawRateSet", "rate:f", ""),
    ("ZCtrl.WithdrawRateGet", "", "rate:f"),
    ("ZCtrl.LimitsSet", "high:f low:f", ""),
    ("ZCtrl.LimitsGet", "", "high:f low:f"),
    ("ZCtrl.LimitsEnabledSet", "on:I", ""),
    ("ZCtrl.LimitsEnabledGet", "", "on:I"),
    ("ZCtrl.StatusGet", "", "status:H"),
    ("SafeTip.OnOffSet", "on:H", ""),
    ("SafeTip.OnOffGet", "", "on:H"),
    ("SafeTip.SignalGet", "", "signal:f"),
    ("SafeTip.PropsSet", "auto_recovery:H auto_pause_scan:H threshold:f", ""),
    ("SafeTip.PropsGet", "", "auto_recovery:H auto_pause_scan:H threshold:f"),
    # Follow Me: moves of the tip outside a scan
    ("FolMe.XYPosSet", "x:d y:d wait:I", ""),
    ("FolMe.XYPosGet", "wait_for_newest:I", "x:d y:d"),
    ("FolMe.SpeedSet", "speed:f custom:I", ""),
    ("FolMe.SpeedGet", "", "speed:f custom:I"),
    ("FolMe.OversamplSet", "oversampling:i", ""),
    ("FolMe.OversamplGet", "", "oversampling:i rate:f"),
    ("FolMe.Stop", "", ""),
    ("FolMe.PSOnOffSet", "on:I", ""),
    ("FolMe.PSOnOffGet", "", "on:I"),
    # Scan. Action: 0 start, 1 stop, 2 pause, 3 resume; direction: 1 up, 0 down
    ("Scan.Action", "action:H direction:I", ""),
    ("Scan.StatusGet", "", "running:I"),
    ("Scan.FrameSet", _FRAME, ""),
    ("Scan.FrameGet", "", _FRAME),
    ("Scan.BufferSet", "channels:i[] pixels:i lines:i", ""),
    ("Scan.BufferGet", "", "channels:i[] pixels:i lines:i"),
    # autosave: in Set 0 as it is, 1 all, 2 next, 3 off; in Get 0 all, 1 next, 2 off
    (
        "Scan.PropsSet",
        "continuous:I bouncy:I autosave:I series_name:str comment:str modules:strs autopaste:I",
        "",
    ),
    (
        "Scan.PropsGet",
        "",
        "continuous:I bouncy:I autosave:I series_name:str comment:str modules:strs "
        "parameter_counts:i[] parameters:strs[,] autopaste:I",
    ),
    # keep: in Set 0 no change, 1 linear speed, 2 time per line; in Get 0 speed, 1 time
    ("Scan.SpeedSet", _SPEED, ""),
    ("Scan.SpeedGet", "", _SPEED),
    # data direction: 1 forward, 0 backward; row 0 is the top of the frame
    ("Scan.FrameDataGrab", "channel:I direction:I", "channel:str data:f[,] direction:I"),
    ("Scan.WaitEndOfScan", "timeout_ms:i", "timed_out:I path:str"),
    # movement: 0 forward, 1 backward, 2 to the centre, 3 to the start; lines count from 1
    ("Scan.WaitEndOfLine", "timeout_ms:i", "timed_out:I line:i movement:H pass_number:i"),
    ("Scan.XYPosGet", "wait_for_newest:I", "x:f y:f"),
    ("Scan.Save", "wait:I timeout_ms:i", "timed_out:I"),
    # Pattern: 1 grid, 2 line, 3 cloud; an experiment must be open before it is started
    ("Pattern.ExpOpen", "", ""),
    ("Pattern.ExpStart", "pattern:H", ""),
    ("Pattern.ExpPause", "pause:I", ""),
    ("Pattern.ExpStop", "", ""),
    ("Pattern.ExpStatusGet", "", "running:I"),
    ("Pattern.GridSet", "activate:I columns:i rows:i use_scan_frame:I " + _FRAME, ""),
    ("Pattern.GridGet", "", "columns:i rows:i " + _FRAME),
    ("Pattern.LineSet", "activate:I points:i use_scan_frame:I " + _LINE, ""),
    ("Pattern.LineGet", "", "points:i " + _LINE),
    ("Pattern.CloudSet", "activate:I points:i x:f[points] y:f[points]", ""),
    ("Pattern.CloudGet", "", "points:i x:f[points] y:f[points]"),
    ("Pattern.PropsSet", "experiment:str base_name:str vi_path:str delay:f save_scan:I", ""),
    ("Pattern.PropsGet", "", "experiments:strs experiment:str vi_path:str delay:f save_scan:I"),
    # Lock-in; modulators and demodulators count from 1, amplitudes are peak values
    ("LockIn.ModOnOffSet", "modulator:i on:I", ""),
    ("LockIn.ModOnOffGet", "modulator:i", "on:I"),
    ("LockIn.ModSignalSet", "modulator:i signal:i", ""),
    ("LockIn.ModSignalGet", "modulator:i", "signal:i"),
    ("LockIn.ModPhasRegSet", "modulator:i register:i", ""),
    ("LockIn.ModPhasRegGet", "modulator:i", "register:i"),
    ("LockIn.ModHarmonicSet", "modulator:i harmonic:i", ""),
    ("LockIn.ModHarmonicGet", "modulator:i", "harmonic:i"),
    ("LockIn.ModPhasSet", "modulator:i phase:f", ""),
    ("LockIn.ModPhasGet", "modulator:i", "phase:f"),
    ("LockIn.ModAmpSet", "modulator:i amplitude:f", ""),
    ("LockIn.ModAmpGet", "modulator:i", "amplitude:f"),
    ("LockIn.ModPhasFreqSet", "modulator:i frequency:d", ""),
    ("LockIn.ModPhasFreqGet", "modulator:i", "frequency:d"),
    ("LockIn.DemodSignalSet", "demodulator:i signal:i", ""),
    ("LockIn.DemodSignalGet", "demodulator:i", "signal:i"),
    ("LockIn.DemodHarmonicSet", "demodulator:i harmonic:i", ""),
    ("LockIn.DemodHarmonicGet", "demodulator:i", "harmonic:i"),
    ("LockIn.DemodHPFilterSet", "demodulator:i order:i cutoff:f", ""),
    ("LockIn.DemodHPFilterGet", "demodulator:i", "order:i cutoff:f"),
    ("LockIn.DemodLPFilterSet", "demodulator:i order:i cutoff:f", ""),
    ("LockIn.DemodLPFilterGet", "demodulator:i", "order:i cutoff:f"),
    ("LockIn.DemodPhasRegSet", "demodulator:i register:i", ""),
    ("LockIn.DemodPhasRegGet", "demodulator:i", "register:i"),
    ("LockIn.DemodPhasSet", "demodulator:i phase:f", ""),
    ("LockIn.DemodPhasGet", "demodulator:i", "phase:f"),
    ("LockIn.DemodSyncFilterSet", "demodulator:i on:I", ""),
    ("LockIn.DemodSyncFilterGet", "demodulator:i", "on:I"),
    ("LockIn.DemodRTSignalsSet", "demodulator:i signals:I", ""),
    ("LockIn.DemodRTSignalsGet", "demodulator:i", "signals:I"),
    ("Signals.NamesGet", "", "names:strs"),
    ("Signals.MeasNamesGet", "", "names:strs"),
    ("Signals.CalibrGet", "signal:i", "per_volt:f offset:f"),
    ("Signals.RangeGet", "signal:i", "high:f low:f"),
    ("Signals.ValGet", "signal:i wait_for_newest:I", "value:f"),
    ("Signals.ValsGet", "signals:i[] wait_for_newest:I", "values:f[]"),
    # drift compensation: in Set 0 no change, 1 on, 2 off; velocities in m/s, limit in percent
    ("Piezo.DriftCompSet", "on:I vx:f vy:f vz:f limit:f", ""),
    (
        "Piezo.DriftCompGet",
        "",
        "on:I vx:f vy:f vz:f x_saturated:I y_saturated:I z_saturated:I limit:f",
    ),
    ("Piezo.TiltSet", "x:f y:f", ""),
    ("Piezo.TiltGet", "", "x:f y:f"),
    ("Piezo.RangeGet", "", "x:f y:f z:f"),
    ("Piezo.SensGet", "", "x:f y:f z:f"),
    # User outputs count from 1; mode: 0 user output, 1 monitor, 2 calculated
    ("UserOut.ModeSet", "output:i mode:H", ""),
    ("UserOut.ModeGet", "output:i", "mode:H"),
    ("UserOut.MonitorChSet", "output:i channel:i", ""),
    ("UserOut.MonitorChGet", "output:i", "channel:i"),
    ("UserOut.ValSet", "output:i value:f", ""),
    ("UserOut.CalibrSet", "output:i per_volt:f offset:f", ""),
    ("UserOut.LimitsSet", "output:i high:f low:f raw:I", ""),
    ("UserOut.LimitsGet", "output:i raw:I", "high:f low:f"),
    ("Util.SessionPathGet", "", "path:str"),
    ("Util.SessionPathSet", "path:str save_settings:I", ""),
    ("Util.AcqPeriodSet", "period:f", ""),
    ("Util.AcqPeriodGet", "", "period:f"),
    ("Util.RTFreqGet", "", "frequency:f"),
    ("Util.RTOversamplGet", "", "oversampling:i"),
    ("Util.Lock", "", ""),
    ("Util.UnLock", "", ""),
    ("Util.VersionGet", "", "product:str version:str host_release:I engine_release:I"),
)

OTHER_ARGUMENTS = {
    # nanonis-spm sends a module name given as text without count; older clients send none
    "Scan.PropsSet": (
        "continuous:I bouncy:I autosave:I series_name:str comment:str modules:str autopaste:I",
        "continuous:I bouncy:I autosave:I series_name:str comment:str",
    ),
    # nanonistcp leaves the limit of saturation out when told of an old release
    "Piezo.DriftCompSet": ("on:I vx:f vy:f vz:f",),
}
"""Argument layouts that some clients send; values that they lack are blank."""

OTHER_RETURNS = {
    # as nanonis-spm 1.0.9 decodes it
    "BiasSpectr.PropsGet": (
        "save_all:H sweeps:i backward:H points:i channels:strs parameters:strs fixed:strs",
    ),
}
"""Layouts of replies that some controllers send or some clients expect."""
