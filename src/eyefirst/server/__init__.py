"""The service: parse, call the tools that the command line calls, answer. Needs the extra `[server]`.

settings    what an operator decides, with safe defaults
signing     signed addresses of pictures; needs no extra
pool        a bounded queue before a few threads
sources     pictures from the root folder and from allow-listed origins
problems    errors as problem+json
guard       what every request passes: host, limits, headers, metrics
app         the routes
run         sockets and processes
page/       the page at /
"""
