// Command metrics-server serves what a local cluster's pods use. How kubelets are asked and what is served is
// metrics-server's own; its own command, with its many options, does not fit the libraries of this Kubernetes.
package main

import (
	"fmt"
	"net"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/metrics-server/pkg/api"
	generatedopenapi "sigs.k8s.io/metrics-server/pkg/api/generated/openapi"
	"sigs.k8s.io/metrics-server/pkg/scraper/client"
	"sigs.k8s.io/metrics-server/pkg/server"
)

const (
	port        = 10250
	kubeletPort = 10250
	resolution  = 15 * time.Second
	timeout     = 10 * time.Second
	// Where the certificate that it signs for itself is kept.
	certificates = "/tmp"
)

func main() {
	if err := run(genericapiserver.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "metrics-server:", err)
		os.Exit(1)
	}
}

func run(stop <-chan struct{}) error {
	cluster, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	cluster.ContentType = "application/vnd.kubernetes.protobuf"
	served, err := apiServer()
	if err != nil {
		return err
	}
	config := server.Config{
		Apiserver:        served,
		Rest:             cluster,
		Kubelet:          kubelets(cluster),
		MetricResolution: resolution,
		ScrapeTimeout:    timeout,
	}
	metrics, err := config.Complete()
	if err != nil {
		return err
	}
	return metrics.RunUntil(stop)
}

// Kubelets of kind's nodes sign their certificates themselves.
func kubelets(cluster *rest.Config) *client.KubeletClientConfig {
	own := rest.CopyConfig(cluster)
	own.TLSClientConfig = rest.TLSClientConfig{Insecure: true}
	return &client.KubeletClientConfig{
		Client:              *own,
		AddressTypePriority: []corev1.NodeAddressType{corev1.NodeInternalIP},
		Scheme:              "https",
		DefaultPort:         kubeletPort,
	}
}

// Who asks is known and allowed by the cluster's API server.
func apiServer() (*genericapiserver.Config, error) {
	serving := genericoptions.NewSecureServingOptions().WithLoopback()
	serving.BindPort = port
	serving.ServerCert.CertDirectory = certificates
	if err := serving.MaybeDefaultWithSelfSignedCerts("localhost", nil, []net.IP{net.IPv4(127, 0, 0, 1)}); err != nil {
		return nil, err
	}
	config := genericapiserver.NewConfig(api.Codecs)
	config.EffectiveVersion = compatibility.DefaultBuildEffectiveVersion()
	if err := serving.ApplyTo(&config.SecureServing, &config.LoopbackClientConfig); err != nil {
		return nil, err
	}
	authentication := genericoptions.NewDelegatingAuthenticationOptions()
	if err := authentication.ApplyTo(&config.Authentication, config.SecureServing, nil); err != nil {
		return nil, err
	}
	authorization := genericoptions.NewDelegatingAuthorizationOptions()
	if err := authorization.ApplyTo(&config.Authorization); err != nil {
		return nil, err
	}
	namer := openapinamer.NewDefinitionNamer(api.Scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(generatedopenapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(generatedopenapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIConfig.Info.Title = "metrics-server"
	config.OpenAPIV3Config.Info.Title = "metrics-server"
	return config, nil
}
