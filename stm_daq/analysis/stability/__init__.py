"""Noise, and whether a night was a steady one."""
