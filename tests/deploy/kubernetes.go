package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	internalapps "k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install" // the kinds, with their defaults
	validapps "k8s.io/kubernetes/pkg/apis/apps/validation"
	internalcore "k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	validcore "k8s.io/kubernetes/pkg/apis/core/validation"
	internalnetworking "k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	validnetworking "k8s.io/kubernetes/pkg/apis/networking/validation"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// kubernetes builds a folder with Kustomize and has each object validated as the API server does before it stores it.
func kubernetes(_ context.Context, folder string) (string, error) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return "", err
	}
	text, err := built.AsYaml()
	if err != nil {
		return "", err
	}
	strict := serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	var kinds string
	var faults []error
	var objects []runtime.Object
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		object, kind, err := strict.Decode(document, nil, nil)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		kinds += " " + kind.Kind
		objects = append(objects, object)
		if err := validate(object, kind); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", kind.Kind, err))
		}
	}
	faults = append(faults, together(objects)...)
	return "as Kubernetes validates it:" + kinds, errors.Join(faults...)
}

// validate sets the defaults of an object and validates it in the form that the API server keeps.
func validate(object runtime.Object, kind *schema.GroupVersionKind) error {
	namespaced, ok := object.(interface{ SetNamespace(string) })
	if !ok {
		return errors.New("it has no namespace")
	}
	namespaced.SetNamespace("default") // the server takes it from the request
	legacyscheme.Scheme.Default(object)
	internal, err := legacyscheme.Scheme.ConvertToVersion(object, schema.GroupVersion{Group: kind.Group, Version: runtime.APIVersionInternal})
	if err != nil {
		return err
	}
	var found field.ErrorList
	switch internal := internal.(type) {
	case *internalapps.StatefulSet:
		found = validapps.ValidateStatefulSet(internal, validcore.PodValidationOptions{})
	case *internalcore.Service:
		found = validcore.ValidateServiceCreate(internal)
	case *internalcore.ConfigMap:
		found = validcore.ValidateConfigMap(internal)
	case *internalnetworking.Ingress:
		found = validnetworking.ValidateIngressCreate(internal)
	default:
		return fmt.Errorf("this program does not know how to validate a %s", kind.Kind)
	}
	return found.ToAggregate()
}

// together checks what only several objects show: one pod that is secure, whose names the others use.
func together(objects []runtime.Object) (faults []error) {
	var set *apps.StatefulSet
	ports := make(map[string]bool)
	for _, object := range objects {
		switch object := object.(type) {
		case *apps.StatefulSet:
			set = object
		case *core.Service:
			for _, port := range object.Spec.Ports {
				ports[port.Name] = true
			}
		}
	}
	if set == nil {
		return []error{errors.New("there is no StatefulSet")}
	}
	if *set.Spec.Replicas != 1 {
		faults = append(faults, fmt.Errorf("there are %d replicas of what may run once", *set.Spec.Replicas))
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return append(faults, err)
	}
	level := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(level, &set.Spec.Template.ObjectMeta, &set.Spec.Template.Spec) {
		if !result.Allowed {
			faults = append(faults, fmt.Errorf("pod security: %s: %s", result.ForbiddenReason, result.ForbiddenDetail))
		}
	}
	configs := make(map[string]bool)
	for _, object := range objects {
		switch object := object.(type) {
		case *core.ConfigMap:
			configs[object.Name] = true
		case *networking.Ingress:
			for _, rule := range object.Spec.Rules {
				for _, path := range rule.HTTP.Paths {
					if !ports[path.Backend.Service.Port.Name] {
						faults = append(faults, fmt.Errorf("the Ingress leads to the port %q, which no Service has", path.Backend.Service.Port.Name))
					}
				}
			}
		}
	}
	for _, volume := range set.Spec.Template.Spec.Volumes {
		if volume.ConfigMap != nil && !configs[volume.ConfigMap.Name] {
			faults = append(faults, fmt.Errorf("the pod mounts the ConfigMap %q, which there is not", volume.ConfigMap.Name))
		}
	}
	return faults
}
