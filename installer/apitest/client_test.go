package apitest_test

import (
	"context"
	"errors"
	"fmt"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/apitest"
)

func ExampleClient_Create() {
	client := &apitest.Client{Client: api.Client{
		BaseURL: "http://127.0.0.1:8440",
		Project: "p-one",
		Token:   installer.NewSecret("what `tripod tokens add` printed"),
	}}
	made, err := client.Create(context.Background(), apitest.CreateRequest{
		InvocationType: "REMOTE_INSTALL",
		Hosts: []installer.HostEntry{{
			Host:        installer.Host{Name: "web-1", Endpoint: installer.Endpoint{Address: "10.0.0.1", Port: 22, User: "root"}},
			Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("correct horse")}},
		}},
	})
	if e, ok := errors.AsType[*api.Error](err); ok {
		fmt.Println("refused:", e.Code, e.Msg)
		return
	}
	for _, res := range made.Invocations {
		if res.RetStatus == api.RetError {
			fmt.Println(res.InstanceID, res.ErrorCode, res.ErrorMsg)
			continue
		}
		page, _ := client.List(context.Background(), installer.Filter{InvocationID: res.InvocationID})
		fmt.Println(page.Invocations[0].InvocationStatus)
	}
}
