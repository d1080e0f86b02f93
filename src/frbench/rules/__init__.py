"""The shelf of rules: a documented question to the tables, answered with its evidence."""
