"""Contact series: gap of single electrons, collective gap of pairs, barrier."""
