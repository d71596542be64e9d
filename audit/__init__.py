"""`python -m audit`: find known vulnerabilities of installed packages; accepted ones have a reason."""
