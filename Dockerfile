# An image with ceknik. It copies a binary that was built before: `cargo build --release`, or the one of a release.
# The binary needs a C library that is not older than that of the machine on which it was built.
#
#   docker build -t ceknik .
#   docker run --rm -v "$PWD:/data" --user "$(id -u):$(id -g)" -e CEKNIK_API_ID -e CEKNIK_API_SECRET \
#       ceknik run customers.csv --limit 20
ARG BASE=debian:stable-slim
FROM ${BASE}
# The certificates with which the vendor's server is recognized.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --chmod=0755 target/release/ceknik /usr/bin/ceknik
# Mount a folder with the customer files here. The ledger is in it too, because a ledger that is lost with its
# container has to be paid for again. A new volume is that of the user below.
RUN install -d -o 1000 -g 1000 /data
WORKDIR /data
ENV XDG_STATE_HOME=/data
USER 1000:1000
ENTRYPOINT ["/usr/bin/ceknik"]
CMD ["--help"]
