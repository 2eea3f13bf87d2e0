"""The text and JSON faces: of one cycle, and of a whole night."""

from healmon.report.cycle import cycle_data, cycle_text, exit_code, to_json
from healmon.report.morning import STALE_AFTER, Morning, Night, morning
from healmon.report.page import headline, morning_text

__all__ = [
    "STALE_AFTER",
    "Morning",
    "Night",
    "cycle_data",
    "cycle_text",
    "exit_code",
    "headline",
    "morning",
    "morning_text",
    "to_json",
]
