package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"passerelle.dev/go/passerelle"
	v1 "passerelle.dev/go/passerellev1"
)

var toJSON = protojson.MarshalOptions{UseProtoNames: true}

// decode reads JSON, numbers as they were written.
func decode(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// stubMethod is the method of the client's stub that "passerelle.v1.AudienceService/GetAudience" names.
func stubMethod(client *passerelle.Client, name string) (reflect.Value, error) {
	service, method, _ := strings.Cut(name[strings.LastIndex(name, ".")+1:], "/")
	stubs := reflect.ValueOf(client).Elem()
	for i := range stubs.NumField() {
		if stubs.Type().Field(i).Type.Name() != service+"Client" {
			continue
		}
		if found := stubs.Field(i).MethodByName(method); found.IsValid() {
			return found, nil
		}
	}
	return reflect.Value{}, invalid(fmt.Errorf("no method %q", name))
}

// unary makes a call by name.
func unary(ctx context.Context, method reflect.Value, request proto.Message) (proto.Message, error) {
	results := method.Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(request)})
	if err, failed := results[1].Interface().(error); failed {
		return nil, err
	}
	return results[0].Interface().(proto.Message), nil
}

// named is what "call" and "pages" say.
type named struct {
	Method    string          `json:"method"`
	Request   json.RawMessage `json:"request"`
	TimeoutMS json.Number     `json:"timeout_ms"`
	Items     string          `json:"items"`
}

// prepare finds the method and reads its request.
func prepare(r *runner, request request) (named, reflect.Value, proto.Message, error) {
	var said named
	none := reflect.Value{}
	if err := request.read(&said); err != nil {
		return said, none, nil, err
	}
	client, err := r.client(request)
	if err != nil {
		return said, none, nil, err
	}
	method, err := stubMethod(client, said.Method)
	if err != nil {
		return said, none, nil, err
	}
	message := reflect.New(method.Type().In(1).Elem()).Interface().(proto.Message)
	if len(said.Request) > 0 {
		if err := protojson.Unmarshal(said.Request, message); err != nil {
			return said, none, nil, invalid(err)
		}
	}
	return said, method, message, nil
}

func call(ctx context.Context, r *runner, request request) (any, error) {
	said, method, message, err := prepare(r, request)
	if err != nil {
		return nil, err
	}
	if timeout, err := said.TimeoutMS.Int64(); err == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(timeout)*time.Millisecond)
		defer cancel()
	}
	response, err := unary(ctx, method, message)
	if err != nil {
		return nil, err
	}
	encoded, err := toJSON.Marshal(response)
	return map[string]any{"response": json.RawMessage(encoded)}, err
}

// page is a response of any list.
type page struct{ proto.Message }

func (p page) field(name string) protoreflect.Value {
	message := p.ProtoReflect()
	return message.Get(message.Descriptor().Fields().ByName(protoreflect.Name(name)))
}

func (p page) GetNextPageToken() string { return p.field("next_page_token").String() }

func pages(ctx context.Context, r *runner, request request) (any, error) {
	said, method, message, err := prepare(r, request)
	if err != nil {
		return nil, err
	}
	list := func(ctx context.Context, request proto.Message, _ ...grpc.CallOption) (page, error) {
		response, err := unary(ctx, method, request)
		return page{response}, err
	}
	itemsOf := func(page page) (items []proto.Message) {
		list := page.field(said.Items).List()
		for i := range list.Len() {
			items = append(items, list.Get(i).Message().Interface())
		}
		return items
	}
	items := []json.RawMessage{}
	for item, err := range passerelle.Pages(ctx, list, message, itemsOf) {
		if err != nil {
			return nil, err
		}
		encoded, err := toJSON.Marshal(item)
		if err != nil {
			return nil, err
		}
		items = append(items, encoded)
	}
	return map[string]any{"items": items}, nil
}

func createAttribute(ctx context.Context, r *runner, request request) (any, error) {
	var said struct {
		Attribute, Type string
		Consent         json.RawMessage
	}
	if err := request.read(&said); err != nil {
		return nil, err
	}
	client, err := r.client(request)
	if err != nil {
		return nil, err
	}
	kind, known := v1.AttributeType_value["ATTRIBUTE_TYPE_"+said.Type]
	if !known {
		return nil, invalid(errors.New("unknown type " + said.Type))
	}
	var consent *v1.Consent
	if len(said.Consent) > 0 && string(said.Consent) != "null" {
		consent = &v1.Consent{}
		if err := protojson.Unmarshal(said.Consent, consent); err != nil {
			return nil, invalid(err)
		}
	}
	made, err := client.CreateAttribute(ctx, said.Attribute, v1.AttributeType(kind), consent)
	return map[string]string{"type": strings.TrimPrefix(made.GetType().String(), "ATTRIBUTE_TYPE_")}, err
}
