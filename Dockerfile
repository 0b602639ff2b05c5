# A static binary and certificates, run by an unprivileged user. It serves the syncs of owlat-sync.yaml in /data, which user 65532
# must be able to write: the ledger is kept there too. deploy/ has it beside an Owlat deployment, and in Kubernetes.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -ldflags "-s -w" -o /out/owlat-sync ./cmd/owlat-sync && mkdir /out/data

FROM gcr.io/distroless/static-debian12:nonroot
LABEL org.opencontainers.image.title="owlat-sync" \
      org.opencontainers.image.description="Keeps the contacts of Owlat in step with the rows of a database" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/owlat-sync /usr/local/bin/owlat-sync
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
WORKDIR /data
VOLUME /data
# The second takes Owlat's webhooks alone, if the configuration opens it.
EXPOSE 8420 8421
ENTRYPOINT ["/usr/local/bin/owlat-sync"]
CMD ["serve"]
