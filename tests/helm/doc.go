// Package helm tests the chart deploy/helm/avika without a cluster: Helm renders it with the profiles and the commands of
// the scaling guide, the manifests are decoded strictly into Kubernetes' own types, and the rendered configurations run in
// the built gateway.
//
// The official opentelemetry-collector chart is not part of this repository; testdata has one of ours that takes its place.
// CHART_DIR, a folder with opentelemetry-collector-0.170.0.tgz or the chart unpacked, makes all tests use the real one.
package helm
