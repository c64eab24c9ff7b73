package installer

// Reporting says whether the agent has what it needs to report to Cloud Eye: credentials, an
// instance id and a project id, of its own or from the metadata service. The zero value:
// not examined.
type Reporting struct {
	Able ReportingAble `json:"able"`
	Why  string        `json:"why,omitempty"` // not, or not known
}

// ReportingAble is yes, no or unknown.
type ReportingAble string

const (
	ReportingYes     ReportingAble = "yes"
	ReportingNo      ReportingAble = "no"
	ReportingUnknown ReportingAble = "unknown"
)
