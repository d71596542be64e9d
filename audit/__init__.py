"""`python -m audit`: known vulnerabilities of what is installed; each accepted one is explained."""
