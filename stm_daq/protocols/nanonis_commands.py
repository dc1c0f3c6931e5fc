"""Table of the Nanonis commands that driver and twin know.

One row a command: name, arguments, return values, in wire order. To add a command, add its row.

Source: SPECS, "Nanonis TCP Protocol", R14718 (2025).
"""

from __future__ import annotations

from stm_daq.protocols.nanonis_fields import Layout

NAME_SIZE = 32


class Command:
    """One command of the interface."""

    def __init__(self, name: str, arguments: str, returns: str) -> None:
        self.name = name
        self.wire_name = name.encode("ascii").ljust(NAME_SIZE, b"\0")
        self.arguments = Layout(arguments)
        self.returns = Layout(returns)

    @property
    def only_reads(self) -> bool:
        """Whether carrying the command out twice does the same as once, and changes nothing."""
        return self.name.endswith(("Get", "Grab"))


_ROWS = (
    ("Bias.Set", "bias:f", ""),
    ("Bias.Get", "", "bias:f"),
    ("Current.Get", "", "current:f"),
    # Z controller. Status: 1 off, 2 on, 3 hold, 4 switching off, 5 safe tip, 6 withdrawing
    ("ZCtrl.ZPosSet", "z:f", ""),
    ("ZCtrl.ZPosGet", "", "z:f"),
    ("ZCtrl.OnOffSet", "on:I", ""),
    ("ZCtrl.OnOffGet", "", "on:I"),
    ("ZCtrl.SetpntSet", "setpoint:f", ""),
    ("ZCtrl.SetpntGet", "", "setpoint:f"),
    ("ZCtrl.SwitchOffDelaySet", "delay:f", ""),
    ("ZCtrl.SwitchOffDelayGet", "", "delay:f"),
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
    ("FolMe.Stop", "", ""),
    # Scan. Action: 0 start, 1 stop, 2 pause, 3 resume; direction: 1 up, 0 down
    ("Scan.Action", "action:H direction:I", ""),
    ("Scan.StatusGet", "", "running:I"),
    ("Scan.FrameSet", "x:f y:f width:f height:f angle:f", ""),
    ("Scan.FrameGet", "", "x:f y:f width:f height:f angle:f"),
    ("Scan.BufferSet", "channels:i[] pixels:i lines:i", ""),
    ("Scan.BufferGet", "", "channels:i[] pixels:i lines:i"),
    # Props: 0 no change, 1 on, 2 off
    (
        "Scan.PropsSet",
        "continuous:I bouncy:I autosave:I series_name:str comment:str modules:strs autopaste:I",
        "",
    ),
    # keep: in Set 0 no change, 1 linear speed, 2 time per line; in Get 0 speed, 1 time
    ("Scan.SpeedSet", "forward:f backward:f forward_time:f backward_time:f keep:H ratio:f", ""),
    ("Scan.SpeedGet", "", "forward:f backward:f forward_time:f backward_time:f keep:H ratio:f"),
    # data direction: 1 forward, 0 backward; row 0 is the top of the frame
    ("Scan.FrameDataGrab", "channel:I direction:I", "channel:str data:f[,] direction:I"),
    ("Scan.WaitEndOfScan", "timeout_ms:i", "timed_out:I path:str"),
    # movement: 0 forward, 1 backward, 2 to the centre, 3 to the start; lines count from 1
    ("Scan.WaitEndOfLine", "timeout_ms:i", "timed_out:I line:i movement:H pass_number:i"),
    ("Scan.XYPosGet", "wait_for_newest:I", "x:f y:f"),
    ("Signals.NamesGet", "", "names:strs"),
    ("Signals.ValGet", "signal:i wait_for_newest:I", "value:f"),
    ("Signals.ValsGet", "signals:i[] wait_for_newest:I", "values:f[]"),
    ("Util.VersionGet", "", "product:str version:str host_release:I engine_release:I"),
)

COMMANDS = {name: Command(name, arguments, returns) for name, arguments, returns in _ROWS}
"""All commands by name."""
