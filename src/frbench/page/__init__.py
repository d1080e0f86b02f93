"""What the report's page is made of: sentences, tables, figures, and the sections they form."""
