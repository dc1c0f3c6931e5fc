"""Alerts: what a night tells a person who is not looking, and how it gets through."""
