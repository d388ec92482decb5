"""The only package that speaks SQL: tables, sessions, repositories, migrations."""
