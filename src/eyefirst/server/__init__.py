"""The service: parse, call the tools that the command line calls, answer. Needs the extra `[server]`.

A file imports only from those above its own.

settings    what an operator decides, with safe defaults
pool        a bounded queue before a few threads
watermark   the operator's mark
cuts        from a picture and what is asked of it to encoded crops
addresses   what the address of a picture asks for
signing     signed addresses of pictures; needs no extra
srcset      HTML with signed addresses in several widths; needs no extra
caches      plans, results and pictures that are here already
sources     pictures from the root folder and from allow-listed origins
stores      pictures from any store that fsspec knows
bodies      bodies on their way in: counted, timed, unpacked
metrics     what Prometheus is told
queries     options that the routes take, checked at the door
problems    errors as problem+json
openapi     what the service says of itself
service     what the routes share
images      the route of pictures at addresses
upkeep      health, metrics and the page
thumbor     how Thumbor writes addresses
imgproxy    how imgproxy writes addresses
foreign     addresses of both, answered as our own
guard       what every request passes: host, limits, headers, metrics
app         the routes
protocol    how one connection is read
run         sockets and processes; restarts without a lost request
page/       the page at /
"""
