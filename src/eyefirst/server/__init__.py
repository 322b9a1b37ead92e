"""The service: parse, call the tools that the command line calls, answer. Needs the extra `[server]`.

settings    what an operator decides, with safe defaults
addresses   what the address of a picture asks for
signing     signed addresses of pictures; needs no extra
srcset      HTML with signed addresses in several widths; needs no extra
pool        a bounded queue before a few threads
caches      plans, results and pictures that are here already
sources     pictures from the root folder and from allow-listed origins
stores      pictures from any store that fsspec knows
watermark   the operator's mark
problems    errors as problem+json
foreign     addresses of Thumbor and imgproxy, answered as our own
guard       what every request passes: host, limits, headers, metrics
app         the routes
run         sockets and processes; restarts without a lost request
page/       the page at /
"""
