package control

import (
	"tripod/installer/api"
)

// Tokens manages tokens and keys.
type Tokens interface{}

func (s service) tokenRoutes() []api.Route { return nil }
