"""What makes runs and files pleasant in a notebook: figures and views of a dataset."""
