"""The shelf of differential measures: from one rate per group to one number."""
