"""Who watches a run, and how: messages, the publisher, its viewers."""
