// Package passerelle is the client of Passerelle: audiences in, attributes in step, logs back, nothing lost, nothing
// doubled.
//
//	client, err := passerelle.Connect("127.0.0.1:7701")
//	result, err := client.ImportProfiles(ctx, passerelle.Import{
//		Identities: []string{"external_id"}, Fields: []string{"city"}, Stream: "people",
//	}, passerelle.FromSlice(rows))
//
// The messages are in passerelle.dev/go/passerellev1; their comments are the manual. A Client has one stub for each
// service: calls on it have a deadline of 30 seconds unless their context has one, reads are repeated while the
// server is away, calls that it was too busy to begin are made again when it says, and errors are *Error.
package passerelle

import (
	"context"
	"errors"
	"iter"
	"path"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	v1 "passerelle.dev/go/passerellev1"
)

// Client is a connection with one stub for each service. It is safe for use by several goroutines.
type Client struct {
	// Instance is the name of the instance it works in, for example "instances/default".
	Instance string

	Access       v1.AccessServiceClient
	Activation   v1.ActivationServiceClient
	Audiences    v1.AudienceServiceClient
	AudienceSync v1.AudienceSyncServiceClient
	Audit        v1.AuditServiceClient
	Destinations v1.DestinationServiceClient
	Instances    v1.InstanceServiceClient
	Logs         v1.LogServiceClient
	Maintenance  v1.MaintenanceServiceClient
	Privacy      v1.PrivacyServiceClient
	Profiles     v1.ProfileServiceClient
	ProfileSync  v1.ProfileSyncServiceClient
	Sources      v1.SourceServiceClient
	Streams      v1.StreamServiceClient
	Suppressions v1.SuppressionServiceClient

	conn *grpc.ClientConn
}

func newClient(conn *grpc.ClientConn, instance string) *Client {
	return &Client{
		Instance:     "instances/" + instance,
		Access:       v1.NewAccessServiceClient(conn),
		Activation:   v1.NewActivationServiceClient(conn),
		Audiences:    v1.NewAudienceServiceClient(conn),
		AudienceSync: v1.NewAudienceSyncServiceClient(conn),
		Audit:        v1.NewAuditServiceClient(conn),
		Destinations: v1.NewDestinationServiceClient(conn),
		Instances:    v1.NewInstanceServiceClient(conn),
		Logs:         v1.NewLogServiceClient(conn),
		Maintenance:  v1.NewMaintenanceServiceClient(conn),
		Privacy:      v1.NewPrivacyServiceClient(conn),
		Profiles:     v1.NewProfileServiceClient(conn),
		ProfileSync:  v1.NewProfileSyncServiceClient(conn),
		Sources:      v1.NewSourceServiceClient(conn),
		Streams:      v1.NewStreamServiceClient(conn),
		Suppressions: v1.NewSuppressionServiceClient(conn),
		conn:         conn,
	}
}

// Conn is the connection below the stubs, for services that the client has no stub for (health, for example).
func (c *Client) Conn() grpc.ClientConnInterface { return c.conn }

// Close ends the connection; calls and loops under way fail.
func (c *Client) Close() error { return c.conn.Close() }

// Name is a resource name in the client's instance: Name("audiences", "vip").
func (c *Client) Name(parts ...string) string {
	return strings.Join(append([]string{c.Instance}, parts...), "/")
}

// Pages gives all items of a list, page after page, as they are asked for:
//
//	for audience, err := range passerelle.Pages(ctx, client.Audiences.ListAudiences,
//		&v1.ListAudiencesRequest{Parent: client.Instance}, (*v1.ListAudiencesResponse).GetAudiences) { ... }
//
// The request is not changed. An error is the last thing given.
func Pages[Request proto.Message, Response interface{ GetNextPageToken() string }, Item any](
	ctx context.Context,
	list func(context.Context, Request, ...grpc.CallOption) (Response, error),
	request Request,
	items func(Response) []Item,
) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		var none Item
		next := proto.CloneOf(request)
		for {
			page, err := list(ctx, next)
			if err != nil {
				yield(none, err)
				return
			}
			for _, item := range items(page) {
				if !yield(item, nil) {
					return
				}
			}
			if page.GetNextPageToken() == "" {
				return
			}
			message := next.ProtoReflect()
			message.Set(message.Descriptor().Fields().ByName("page_token"), protoreflect.ValueOfString(page.GetNextPageToken()))
		}
	}
}

// CreateAttribute creates an attribute of a type; consent may be nil. One that is there already is left as it is,
// whatever its type, and returned.
func (c *Client) CreateAttribute(ctx context.Context, id string, kind v1.AttributeType, consent *v1.Consent) (
	*v1.Attribute, error) {
	attribute, err := c.Instances.CreateAttribute(ctx, &v1.CreateAttributeRequest{
		Parent: c.Instance, AttributeId: id, Attribute: &v1.Attribute{Type: kind, Consent: consent},
	})
	var failure *Error
	if errors.As(err, &failure) && failure.Reason == "RESOURCE_ALREADY_EXISTS" {
		return c.Instances.GetAttribute(ctx, &v1.GetAttributeRequest{Name: c.Name("attributes", id)})
	}
	return attribute, err
}

// AttributeTypes gives the type of every attribute, by id.
func (c *Client) AttributeTypes(ctx context.Context) (map[string]v1.AttributeType, error) {
	request := &v1.ListAttributesRequest{Parent: c.Instance, PageSize: 1000}
	types := map[string]v1.AttributeType{}
	list := Pages(ctx, c.Instances.ListAttributes, request, (*v1.ListAttributesResponse).GetAttributes)
	for attribute, err := range list {
		if err != nil {
			return nil, err
		}
		types[path.Base(attribute.Name)] = attribute.Type
	}
	return types, nil
}
