// The three flows in under a hundred lines, on a server of your own: go run ./examples/three_flows [ADDRESS]
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"passerelle.dev/go/passerelle"
	v1 "passerelle.dev/go/passerellev1"
)

var ctx = context.Background()

func main() {
	client := must(passerelle.Connect(append(os.Args, passerelle.DefaultAddress)[1]))
	defer client.Close()
	prefix := fmt.Sprintf("demo-%d", time.Now().Unix()) // names of our own, so that it can be run again
	prepare(client, prefix)
	audienceIn(client, prefix)
	attributesInStep(client, prefix)
	logsBack(client, prefix)
}

// prepare makes three people with a city, and a consent for e-mail.
func prepare(client *passerelle.Client, prefix string) {
	must(client.CreateAttribute(ctx, "city", v1.AttributeType_ATTRIBUTE_TYPE_STRING, nil))
	must(client.CreateAttribute(ctx, "email_opt_in", v1.AttributeType_ATTRIBUTE_TYPE_BOOL, &v1.Consent{Channel: "email"}))
	paris := map[string]any{"city": "Paris"}
	people := []passerelle.Row{person(prefix+"-1", paris), person(prefix+"-2", paris), person(prefix+"-3", paris)}
	what := passerelle.Import{Identities: []string{"external_id"}, Fields: []string{"city"}, Stream: prefix + "-people"}
	fmt.Println("imported:", must(client.ImportProfiles(ctx, what, passerelle.FromSlice(people))).Counts)
}

// audienceIn: 1. The CDP pushes an audience; the campaign side streams its members.
func audienceIn(client *passerelle.Client, prefix string) {
	create(client, prefix+"-vip", &v1.Destination{SyncType: v1.Destination_SYNC_TYPE_AUDIENCE_SYNC,
		Audiences: []*v1.DestinationAudience{{SourceId: "VIP", Audience: prefix + "-vip"}}})
	what := passerelle.Push{Destination: prefix + "-vip", Identities: []string{"external_id"},
		Audiences: []string{"VIP"}, Stream: prefix + "-vip"}
	rows := []passerelle.Row{person(prefix+"-1", nil), person(prefix+"-2", nil)}
	fmt.Println("pushed:", must(client.PushMembers(ctx, what, passerelle.FromSlice(rows))).Counts)
	members := passerelle.Members{Audience: prefix + "-vip", Channel: "email", Attributes: []string{"city"}}
	for member, err := range client.StreamMembers(members).All(ctx) {
		fmt.Println("member:", must(member, err).Identities["external_id"], member.Attributes)
	}
}

// attributesInStep: 2. The CDP changes attributes of people who exist; nobody is created.
func attributesInStep(client *passerelle.Client, prefix string) {
	city := &v1.FieldMapping{SourceField: "town", Target: &v1.FieldMapping_Attribute{Attribute: "city"}}
	consent := &v1.FieldMapping{SourceField: "optin", Target: &v1.FieldMapping_Attribute{Attribute: "email_opt_in"}}
	create(client, prefix+"-sync", &v1.Destination{SyncType: v1.Destination_SYNC_TYPE_PROFILE_SYNC,
		Mappings: []*v1.FieldMapping{city, consent}})
	what := passerelle.Sync{Destination: prefix + "-sync", Identities: []string{"external_id"},
		Fields: []string{"town", "optin"}, Stream: prefix + "-sync"}
	rows := []passerelle.Row{person(prefix+"-1", map[string]any{"town": "Lyon"}),
		person(prefix+"-2", map[string]any{"optin": false}), person("nobody", map[string]any{"town": "Lille"})}
	fmt.Println("synced:", must(client.SyncProfiles(ctx, what, passerelle.FromSlice(rows))).Counts)
	members := client.StreamMembers(passerelle.Members{Audience: prefix + "-vip", Channel: "email"})
	for member, err := range members.All(ctx) {
		fmt.Println("reachable by e-mail now:", must(member, err).Identities["external_id"])
	}
}

// logsBack: 3. The campaign side appends its logs; the CDP exports them.
func logsBack(client *passerelle.Client, prefix string) {
	must(client.Logs.CreateDelivery(ctx, &v1.CreateDeliveryRequest{
		Parent: client.Instance, DeliveryId: prefix, Delivery: &v1.Delivery{Channel: "email"}}))
	rows := passerelle.FromSlice([]*v1.LogEntry{{Kind: v1.LogKind_LOG_KIND_DELIVERY, Delivery: prefix, BroadlogId: 1,
		Status: v1.DeliveryStatus_DELIVERY_STATUS_SENT, IdentityNamespace: "external_id", Identity: prefix + "-1"}})
	fmt.Println("appended:", must(client.AppendLogs(ctx, passerelle.Append{Stream: prefix + "-log"}, rows)).Counts)
	fields := []string{"event_time_us", "status", "identity"}
	what := passerelle.Export{Filter: &v1.LogFilter{Deliveries: []string{prefix}}, Fields: fields}
	for batch, err := range client.ExportLogs(ctx, what) {
		for record := range must(batch, err).Records() {
			fmt.Println("exported:", record)
		}
	}
}

func person(id string, fields map[string]any) passerelle.Row {
	return passerelle.Row{Identities: map[string]string{"external_id": id}, Fields: fields}
}

func create(client *passerelle.Client, id string, destination *v1.Destination) {
	must(client.Destinations.CreateDestination(ctx, &v1.CreateDestinationRequest{
		Parent: client.Instance, DestinationId: id, Destination: destination}))
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
