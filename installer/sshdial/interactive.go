package sshdial

import "errors"

var (
	errExpired  = errors.New("the server asks for a new password")
	errQuestion = errors.New("the server asks a question that has no answer here")
)

// answer is the ssh.KeyboardInteractiveChallenge. It answers one question, the
// one for the password, once: the same question again means that the answer
// was wrong, and answering again would lock accounts.
func (h *handshake) answer(_, instruction string, questions []string, echos []bool) ([]string, error) {
	if asksNewPassword(instruction, questions) {
		h.expired = true
		return nil, errExpired
	}
	answers := make([]string, len(questions))
	for i, q := range questions {
		if echos[i] || h.answered || asksCode(q) {
			h.unknown = q
			return nil, errQuestion
		}
		h.answered = true
		answers[i] = h.login.Password.Reveal()
	}
	return answers, nil
}

// asksNewPassword recognises the dialogue of a forced change of password.
func asksNewPassword(instruction string, questions []string) bool {
	if passwordExpired(instruction) {
		return true
	}
	for _, q := range questions {
		if passwordExpired(q) || containsAny(q, "new password", "current password", "current) unix", "old password", "retype", "re-enter", "新密码", "当前密码") {
			return true
		}
	}
	return false
}

// asksCode recognises questions for a second factor, which are not echoed
// either.
func asksCode(q string) bool {
	return containsAny(q, "verification", "code", "otp", "one-time", "token", "duo", "pin:")
}

// passwordExpired recognises what sshd and PAM say when the password must be
// changed, and not their warning that it soon must be.
func passwordExpired(text string) bool {
	return containsAny(text,
		"password has expired", "password is expired", "password expired", "expired password",
		"password change required", "must change your password", "required to change your password",
		"change your password now", "change your password immediately")
}
