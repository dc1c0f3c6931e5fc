"""Films whose electrons repel one another: gaps, exponents, theory of their disorder."""
