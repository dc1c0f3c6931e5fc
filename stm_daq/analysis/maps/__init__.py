"""Maps and their sites: what counts, regions of them, cuts through them, kinds of spectra in them."""
