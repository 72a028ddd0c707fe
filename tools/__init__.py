"""What the project is measured, checked and documented with; no part of the package."""
