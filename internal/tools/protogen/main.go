// Command protogen generates Go code from a .proto file with protoc-gen-go and protoc-gen-go-grpc,
// compiled with protocompile, so that no protoc needs to be installed.
//
//	go tool protogen -I proto -out proto/agentv1 agent.proto
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

var plugins = []string{"protoc-gen-go", "protoc-gen-go-grpc"}

func main() {
	include := flag.String("I", ".", "folder that holds the .proto file")
	out := flag.String("out", ".", "folder the generated files are written to")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: protogen -I FOLDER -out FOLDER FILE.proto")
		os.Exit(2)
	}
	if err := run(*include, *out, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "protogen:", err)
		os.Exit(1)
	}
}

func run(include, out, file string) error {
	request, err := compile(include, file)
	if err != nil {
		return err
	}
	for _, plugin := range plugins {
		response, err := runPlugin(plugin, request)
		if err != nil {
			return err
		}
		for _, f := range response.GetFile() {
			target := filepath.Join(out, filepath.Base(f.GetName()))
			if err := os.WriteFile(target, []byte(f.GetContent()), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// compile returns the request protoc would hand to a plugin for one file without imports.
func compile(include, file string) ([]byte, error) {
	compiler := protocompile.Compiler{
		Resolver:       &protocompile.SourceResolver{ImportPaths: []string{include}},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(context.Background(), file)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", file, err)
	}
	return proto.Marshal(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{file},
		Parameter:      proto.String("paths=source_relative"),
		ProtoFile:      []*descriptorpb.FileDescriptorProto{protoutil.ProtoFromFileDescriptor(files[0])},
	})
}

func runPlugin(name string, request []byte) (*pluginpb.CodeGeneratorResponse, error) {
	cmd := exec.Command("go", "tool", name)
	cmd.Stdin = bytes.NewReader(request)
	cmd.Stderr = os.Stderr
	raw, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", name, err)
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(raw, &response); err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", name, err)
	}
	if response.Error != nil {
		return nil, fmt.Errorf("%s: %s", name, response.GetError())
	}
	return &response, nil
}
