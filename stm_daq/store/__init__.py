"""Where runs are kept: the journal, datasets from it, the catalogue, file formats."""
