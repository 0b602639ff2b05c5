# A static binary and certificates, run by an unprivileged user. Mount a folder with owlat-sync.yaml at /data, writable for
# user 65532: the ledger is kept there too.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -o /out/owlat-sync ./cmd/owlat-sync && mkdir /out/data

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/owlat-sync /usr/local/bin/owlat-sync
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
WORKDIR /data
VOLUME /data
ENTRYPOINT ["/usr/local/bin/owlat-sync"]
CMD ["run"]
