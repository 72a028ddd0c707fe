"""What can be measured, one module each: ``run(bench)`` adds rows to the bench's results."""
