"""Rohde & Schwarz SGS100A microwave source. It is off when the twin begins.

The commands are those of the QCoDeS driver, and the static error queue that R&S sources have.
"""

from __future__ import annotations

from sim.devices.microwave_output import MicrowaveOutput, static_error
from sim.devices.scpi import SCPI_ERRORS
from sim.devices.scpi_rows import Row, choice, number, stored, switch

_PULSE_TIMES = (
    ("DELay", "0", number(0, 100)),
    ("DOUBle:DELay", "1e-06", number(40e-9, 100)),
    ("DOUBle:WIDTh", "1e-06", number(20e-9, 100)),
    ("PERiod", "1e-05", number(100e-9, 100)),
    ("WIDTh", "2e-06", number(20e-9, 100)),
)


class Sgs100a(MicrowaveOutput):
    """The source as its driver sees it."""

    IDENTITY = "Rohde&Schwarz,SGS100A,1416.0505k02/100001,3.1.19.15-3.20.390.24"
    COMMANDS = (
        *SCPI_ERRORS,
        Row("SYSTem:SERRor?", static_error),
        *stored("SOURce:FREQuency", "1000000000", number(1e6, 20e9)),
        *stored("SOURce:PHASe", "0", number(0, 360)),
        *stored("SOURce:POWer", "-30", number(-120, 25)),
        *stored("OUTPut:STATe", "0", switch),
        *stored("IQ:STATe", "0", switch),
        *stored("SOURce:PULM:STATe", "0", switch),
        *stored("SOURce:PULM:SOURce", "INT", choice("INTernal", "EXTernal")),
        *stored("SOURce:ROSCillator:SOURce", "INT", choice("INTernal", "EXTernal")),
        *stored("SOURce:LOSCillator:SOURce", "INT", choice("INTernal", "EXTernal")),
        *stored("CONNector:REFLo:OUTPut", "REF", choice("REF", "LO", "OFF")),
        *stored("SOURce:ROSCillator:OUTPut:FREQuency", "10MHZ"),
        *stored("SOURce:ROSCillator:EXTernal:FREQuency", "10MHZ"),
        *stored("SOURce:IQ:IMPairment:STATe", "0", switch),
        *stored("SOURce:IQ:IMPairment:LEAKage:I", "0", number(-10, 10)),
        *stored("SOURce:IQ:IMPairment:LEAKage:Q", "0", number(-10, 10)),
        *stored("SOURce:IQ:IMPairment:IQRatio", "0", number(-1, 1)),
        *stored("SOURce:IQ:IMPairment:QUADrature", "0", number(-8, 8)),
        *stored(
            "CONNector:TRIGger:OMODe",
            "SVAL",
            choice("SVALid", "SNVALid", "PVOut", "PETrigger", "PEMSource"),
        ),
        *(
            row
            for name, value, check in _PULSE_TIMES
            for row in stored(f"SOURce:PULM:{name}", value, check)
        ),
        *stored("SOURce:PULM:MODE", "SING", choice("SINGle", "DOUBle")),
        *stored("SOURce:PULM:POLarity", "NORM", choice("NORMal", "INVerted")),
        *stored("SOURce:PULM:TRIGger:EXTernal:GATE:POLarity", "NORM", choice("NORMal", "INVerted")),
        *stored("SOURce:PULM:TRIGger:EXTernal:IMPedance", "G50", choice("G50", "G10K")),
        *stored("SOURce:PULM:TRIGger:EXTernal:SLOPe", "POS", choice("NEGative", "POSitive")),
        *stored("SOURce:PULM:TRIGger:MODE", "AUTO", choice("AUTO", "EXTernal", "EGATe")),
        *stored("SOURce:OPMode", "NORM", choice("NORMal", "BBBYpass")),
    )
