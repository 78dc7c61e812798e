package helm

import (
	"encoding/json"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// kinds are what the chart may render, with the types that each is decoded into.
var kinds = map[string]func() metav1.Object{
	"v1/ConfigMap":      func() metav1.Object { return &corev1.ConfigMap{} },
	"v1/Pod":            func() metav1.Object { return &corev1.Pod{} },
	"v1/Secret":         func() metav1.Object { return &corev1.Secret{} },
	"v1/Service":        func() metav1.Object { return &corev1.Service{} },
	"v1/ServiceAccount": func() metav1.Object { return &corev1.ServiceAccount{} },
	"apps/v1/Deployment": func() metav1.Object {
		return &appsv1.Deployment{}
	},
	"apps/v1/StatefulSet":                    func() metav1.Object { return &appsv1.StatefulSet{} },
	"autoscaling/v2/HorizontalPodAutoscaler": func() metav1.Object { return &autoscalingv2.HorizontalPodAutoscaler{} },
	"batch/v1/Job":                           func() metav1.Object { return &batchv1.Job{} },
	"networking.k8s.io/v1/NetworkPolicy":     func() metav1.Object { return &networkingv1.NetworkPolicy{} },
	"policy/v1/PodDisruptionBudget":          func() metav1.Object { return &policyv1.PodDisruptionBudget{} },
	"monitoring.coreos.com/v1/ServiceMonitor": func() metav1.Object {
		return &serviceMonitor{}
	},
	"monitoring.coreos.com/v1/PrometheusRule": func() metav1.Object { return &prometheusRule{} },
}

// serviceMonitor and prometheusRule are the parts of the Prometheus Operator's types that the chart uses.
type serviceMonitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Selector  metav1.LabelSelector `json:"selector"`
		Endpoints []struct {
			Port string `json:"port"`
		} `json:"endpoints"`
	} `json:"spec"`
}

type prometheusRule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Groups []struct {
			Name     string `json:"name"`
			Interval string `json:"interval,omitempty"`
			Rules    []struct {
				Alert       string            `json:"alert,omitempty"`
				Record      string            `json:"record,omitempty"`
				Expr        any               `json:"expr"`
				For         string            `json:"for,omitempty"`
				KeepFor     string            `json:"keep_firing_for,omitempty"`
				Labels      map[string]string `json:"labels,omitempty"`
				Annotations map[string]string `json:"annotations,omitempty"`
			} `json:"rules"`
		} `json:"groups"`
	} `json:"spec"`
}

type manifests struct {
	t       testing.TB
	objects []metav1.Object
}

var separator = regexp.MustCompile(`(?m)^---\s*$`)

// decode reads a stream of manifests and refuses fields that their types do not have.
func decode(t testing.TB, text string) *manifests {
	t.Helper()
	m := &manifests{t: t}
	names := map[string]bool{}
	for _, doc := range separator.Split(text, -1) {
		var of metav1.TypeMeta
		require.NoError(t, yaml.Unmarshal([]byte(doc), &of), doc)
		if of.Kind == "" {
			continue
		}
		create, known := kinds[of.APIVersion+"/"+of.Kind]
		require.True(t, known, "unexpected kind %s %s", of.APIVersion, of.Kind)
		object := create()
		require.NoError(t, yaml.UnmarshalStrict([]byte(doc), object), doc)
		name := of.Kind + "/" + object.GetName()
		require.False(t, names[name], "%s is there twice", name)
		names[name] = true
		m.objects = append(m.objects, object)
	}
	return m
}

// find is the object of a type and name, or nil.
func find[T metav1.Object](m *manifests, name string) (found T) {
	for _, object := range m.objects {
		if typed, ok := object.(T); ok && typed.GetName() == name {
			return typed
		}
	}
	return found
}

// get is the object of a type and name, which must be there.
func get[T metav1.Object](m *manifests, name string) T {
	m.t.Helper()
	found := find[T](m, name)
	require.NotNil(m.t, found, "no %T %s", found, name)
	return found
}

// pods are the pod templates by the names of what makes them.
func (m *manifests) pods() map[string]*corev1.PodSpec {
	pods := map[string]*corev1.PodSpec{}
	for _, object := range m.objects {
		switch o := object.(type) {
		case *appsv1.Deployment:
			pods[o.Name] = &o.Spec.Template.Spec
		case *appsv1.StatefulSet:
			pods[o.Name] = &o.Spec.Template.Spec
		case *batchv1.Job:
			pods[o.Name] = &o.Spec.Template.Spec
		case *corev1.Pod:
			pods[o.Name] = &o.Spec
		}
	}
	return pods
}

// env is the environment of a pod's container, secrets from the rendered Secrets, or "SECRET name/key" for others.
func (m *manifests) env(pod string) map[string]string {
	m.t.Helper()
	env := map[string]string{}
	for _, e := range m.pods()[pod].Containers[0].Env {
		require.NotContains(m.t, env, e.Name, "%s is set twice", e.Name)
		env[e.Name] = e.Value
		switch from := e.ValueFrom; {
		case from == nil:
		case from.SecretKeyRef != nil:
			env[e.Name] = m.secret(from.SecretKeyRef)
		default:
			env[e.Name] = "127.0.0.1" // the pod's, the node's
		}
	}
	return env
}

func (m *manifests) secret(ref *corev1.SecretKeySelector) string {
	m.t.Helper()
	secret := find[*corev1.Secret](m, ref.Name)
	if secret == nil {
		return "SECRET " + ref.Name + "/" + ref.Key
	}
	require.Contains(m.t, secret.Data, ref.Key, "Secret %s", ref.Name)
	return string(secret.Data[ref.Key])
}

// config is the rendered configuration of a gateway or writer.
func (m *manifests) config(name string) map[string]any {
	m.t.Helper()
	var config map[string]any
	require.NoError(m.t, yaml.Unmarshal([]byte(m.relay(name)), &config))
	return config
}

func (m *manifests) relay(name string) string {
	m.t.Helper()
	for _, suffix := range []string{"", "-statefulset"} { // the official chart's names
		if c := find[*corev1.ConfigMap](m, name+suffix); c != nil && c.Data["relay"] != "" {
			return c.Data["relay"]
		}
	}
	m.t.Fatalf("no configuration of %s", name)
	return ""
}

// at is a value inside of a configuration.
func at(t testing.TB, config any, path ...string) any {
	t.Helper()
	for _, key := range path {
		section, ok := config.(map[string]any)
		require.True(t, ok, "%q in %v", key, path)
		config = section[key]
	}
	return config
}

// values are what the stand-in was given.
func (m *manifests) values(name string) map[string]any {
	m.t.Helper()
	var values map[string]any
	require.NoError(m.t, json.Unmarshal([]byte(get[*corev1.ConfigMap](m, name).Data["values.json"]), &values))
	return values
}

func statefulSet(m *manifests, name string) *appsv1.StatefulSet {
	return get[*appsv1.StatefulSet](m, name)
}

func configMap(m *manifests, name string) *corev1.ConfigMap { return get[*corev1.ConfigMap](m, name) }
