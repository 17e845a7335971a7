"""A genotype trained and measured, and the search by gradients."""
