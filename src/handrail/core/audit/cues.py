r"""What a sentence says about roles: the table of rules, each with examples and counter-examples.

Promises: pure; every pattern is bounded, so that time grows with the sentence alone. A rule looks
at one sentence in small letters in which tokens stand for roles; what it means for a file is
decided in ``statements``. ``to`` is the receiver that a sentence names.

    >>> find("handoff-to-role", "hand off to \x01+executor\x02.").group("to")
    'executor'
"""

from __future__ import annotations

import re
from typing import Final

from handrail.core.audit.rule import Rule

_ROLE: Final = "\x01[+-](?P<to>[^\x02]{1,64})\x02"
_WORK: Final = "\x01[+~-](?P<to>[^\x02]{1,64})\x02"
_ANY: Final = "\x01[+-][^\x02]{1,64}\x02"
_GAP: Final = "[^\x01.;]{0,60}?"
_NOT: Final = (
    r"\b(?:do not|don't|must not|mustn't|may not|should not|shall not|never|cannot|can't)\b"
)
_HANDS: Final = (
    r"\b(?:hand(?:s|ed|ing)?[ -]?(?:it |this |that |them |control |work |the [\w-]{1,20} )?"
    r"(?:off|over|back)|handoffs?|hand-offs?|handovers?|escalat(?:e|es|ed|ing|ion)"
    r"|transfer(?:s|red|ring)?|delegat(?:e|es|ed|ing)|rout(?:e|es|ed|ing)|defer(?:s|red)?"
    r"|return(?:s|ed|ing)?|pass(?:es|ed|ing)?|refer(?:s|red)?|forward(?:s|ed|ing)?|raise[sd]?"
    r"|assign(?:s|ed)?|send(?:s|ing)?|packet|kick(?:s|ed)? back)\b"
)
_SWITCHES: Final = (
    r"\b(?:switch(?:es|ed|ing)?|chang(?:e|es|ing)|transition(?:s|ed|ing)?|proceed(?:s|ed|ing)?"
    r"|continu(?:e|es|ed|ing)|resum(?:e|es|ed|ing)|re-?launch(?:es|ed|ing)?|re-?start(?:s|ed)?"
    r"|re-?enter(?:s|ed)?|mov(?:e|es|ing))\b"
)
_STOPS: Final = (
    r"\b(?:stop|halt|pause|cease|abort)(?:s|ped|ping|ed)?\b"
    r"(?! (?:the|a|an|using|adding|putting|writing)\b"
    r"(?! (?:work|task|session|run|edit|directive|phase)\b))"
    r"|\bfail(?:s)? closed\b"
    r"|\b(?:do not|don't|must not|never|cannot|may not)(?: \w{1,12})? (?:proceed|continue|go on"
    r"|go ahead|guess|improvise|widen|work around|decide|edit|touch|modify|change|start|begin)\b"
)
_ASKS: Final = (
    r"\b(?:ask(?:s|ing)?|report(?:s|ing)?|prompt(?:s|ing)?|escalat(?:e|es|ing)|notif(?:y|ies)"
    r"|inform(?:s)?|tell(?:s)?|request(?:s|ing)?|seek(?:s)?|wait(?:s|ing)?|await(?:s)?|raise(?:s)?"
    r"|flag(?:s)?|surface(?:s)?|clarif(?:y|ies|ication)|consult(?:s)?|hand(?:s)? back"
    r"|until (?:the )?(?:operator|user|human|person|direction|approval))\b"
)

CUES: Final = (
    Rule(
        "handoff-to-role",
        "work is to be handed, escalated or returned to a role",
        (rf"{_HANDS}{_GAP}\b(?:to|for|with|into)\s+(?:the )?{_WORK}",),
        (
            "If a session is ultra, hand off to the Executor.",
            "Escalate scope conflicts to the architect role.",
            "Return the directive to the Architect when a step is missing.",
            "A block packet goes out: handoff to `architect`.",
            "Hand the work over to execution.",
        ),
        (
            "The build hands objects to the linker.",
            "Stop by and hand in your patch.",
            "Pass the flag to the compiler and return to the menu.",
            "Accept the handoff from the Architect.",
        ),
    ),
    Rule(
        "switch-to-role",
        "a session is to go on as another role",
        (rf"{_SWITCHES}{_GAP}\b(?:to|as|in|into|with|under)\s+(?:the )?{_ROLE}",),
        (
            "Prompt the operator to proceed with Executor mode.",
            "Switch to the Executor role once ultra work is open.",
            "Relaunch the session as Architect.",
        ),
        (
            "Proceed with the installation and continue in the next chapter.",
            "Switch to a new branch before you change roles in the database.",
        ),
    ),
    Rule(
        "role-needed",
        "a role is said to be needed for what comes next",
        (
            rf"{_ROLE}\s+(?:is |are )?(?:now )?(?:required|needed|necessary)\b",
            rf"\b(?:requires?|needs?|calls? for)\s+(?:the |an? )?{_ROLE}",
            (
                rf"{_ROLE}\s+(?:must|should|has to|needs to|will|shall)\s+(?:\w{{1,12}} )?"
                r"(?:take over|execute|run|carry|continue|resume|pick|handle|resolve|decide"
                r"|be (?:started|launched|used|run))"
            ),
        ),
        (
            "Tell the operator that Executor mode is required.",
            "Ultra enforcement needs the execution role.",
            "The Executor must take over from here.",
            "Say that an Executor must be started.",
        ),
        (
            "A token is required.",
            "The plan requires an audit of the logs.",
        ),
    ),
    Rule(
        "ask-role",
        "a role is to be asked, told or waited for",
        (
            (
                r"\b(?:ask|asks|consult|notify|inform|tell|report(?:s|ed)?(?: back)? to|request"
                r"|wait for"
                r"|await|prompt|alert|contact|check with|confirm with|seek|get|need|needs"
                r"|obtain)\s+"
                rf"(?:\w{{1,12}} )?(?:from |of |by )?(?:the |an? )?{_ROLE}"
            ),
        ),
        (
            "Stop and ask the Architect.",
            "Report to the Architect which file is missing.",
            "Wait for the architect's decision.",
        ),
        (
            "Ask the community, they are friendly.",
            "The Architect reports progress every week.",
        ),
    ),
    Rule(
        "handoff-unaddressed",
        "a handoff or an escalation is demanded, and nobody is named",
        (
            (
                r"\b(?:must|should|shall|stop|and|then|to|,|:)\s+(?:\w{1,14} ){0,2}"
                r"(?:hand(?: \w{1,12})? ?-?(?:off|over)|escalate|handoff)\b"
            ),
            (
                r"\b(?:handoff|hand-off|handover|escalation|role (?:switch|change|transition))\s+"
                r"(?:is |are )?(?:now )?(?:required|needed|mandatory|necessary)\b"
            ),
            r"^(?:hand (?:it |this |work )?(?:off|over)|escalate)\b",
            (
                r"\b(?:provide|emit|write|prepare|create|produce|issue|send|leave)\s+"
                r"(?:\w{1,14} ){0,2}"
                r"(?:handoff|hand-off|handover|packet)(?! (?:file|format|template|schema))\b"
            ),
        ),
        (
            "Stop and hand off before any execution begins.",
            "A handoff is required.",
            "Escalate when a step is missing.",
            "Provide a handoff so that execution can begin.",
        ),
        (
            "The handoff file lies beside the directive.",
            "Handoffs are numbered.",
        ),
    ),
    Rule(
        "ask-for-direction",
        "direction, a decision or an approval is to be asked for",
        (
            (
                r"\b(?:ask|asks|wait|waits|request|seek|prompt|get|obtain|escalate|return)\w{0,3}\b"
                r"[^.;]{0,40}?\b(?:direction|guidance|clarification|clarify|further instructions?"
                r"|decision|approval|permission|confirmation|how to (?:proceed|continue)"
                r"|whether to (?:proceed|continue)|what to do|before (?:proceed|continu|edit"
                r"|chang)ing)"
            ),
        ),
        (
            "For anything outside `apps/web`, ask for direction.",
            "Request clarification when a step is ambiguous.",
            "Ask the operator how to proceed.",
        ),
        (
            "Ask a question on the forum.",
            "The decision log lists every approval.",
        ),
    ),
    Rule(
        "stop-and-ask",
        "work is to stop, and somebody to be asked or told",
        (
            rf"(?:{_STOPS})[^.]{{0,200}}?{_ASKS}",
            rf"{_ASKS}[^.;]{{0,80}}?\b(?:and|then) (?:stop|halt|pause)\b",
            (
                r"\b(?:do not|don't|must not|never|cannot) (?:proceed|continue|go on)\b[^.]{0,60}?"
                r"\b(?:until|without|unless)\b"
            ),
        ),
        (
            "Stop and report.",
            "If the allowlist excludes a file, stop, report rule and files, and ask.",
            "Do not proceed until the operator decides.",
            "Do not edit outside `apps/web`; ask for direction.",
        ),
        (
            "Stop the server before you upgrade.",
            "Please stop using the old report.",
            "Ask us anything.",
        ),
    ),
    Rule(
        "stops",
        "work is to stop; who is to be asked may stand in the next sentence",
        (_STOPS,),
        ("Stop immediately.", "Do not continue."),
        ("The bus line has no end.", "Stop the container."),
    ),
    Rule(
        "role-lock",
        "a role may not be changed or left",
        (
            (
                rf"(?:{_NOT}|\b(?:no|without|forbidden|prohibited|not (?:allowed|permitted"
                rf"|free))\b)"
                r"[^.;\x01]{0,50}?"
                r"\b(?:switch|chang|mix|combin|swap|blend|transition|drift|leav|alter)\w{0,6}\b"
                r"[^.;]{0,40}?\broles?\b"
            ),
            (
                r"\broles?\b[^.;]{0,60}?\b(?:must not|may not|cannot|can't|never|is not|are not"
                r"|not)\b"
                r"[^.;]{0,30}?\b(?:chang|switch|mix|swap|transition|allow|permit|combin)\w{0,6}\b"
            ),
            (
                r"\b(?:role (?:switch|change|transition)(?:es|s|ing)?|(?:switch|chang)ing roles?)\b"
                r"[^.;]{0,60}?\b(?:not|never|forbidden|prohibited|disallowed|no)\b"
            ),
            (
                r"\b(?:stay|remain|keep|stick)(?:s|ing)?\b (?:in|to|within|with) [^.;]{0,30}?"
                rf"(?:\broles?\b|{_ANY})"
            ),
            (
                r"\broles?\b[^.;]{0,40}?\b(?:is|are|stays?|remains?)\b[^.;]{0,20}?"
                r"\b(?:fixed|locked|final|immutable|binding)\b"
            ),
            r"\brole[- ]lock(?:ed)?\b",
            (
                rf"{_NOT} (?:\w{{1,12}} )?(?:switch|change|act|work|operate|behave) (?:to|as|in"
                rf"|into) "
                rf"(?:the |an? )?{_ANY}"
            ),
        ),
        (
            "Do not switch roles inside a thread.",
            "You are not allowed to change roles in a chat.",
            "Roles must never be mixed in one conversation.",
            "Stay in your role for the whole session.",
            "Role lock: your role is fixed once chosen.",
            "Never act as the Executor.",
            "Switching roles mid-thread is forbidden.",
        ),
        (
            "Change the role of the button to `alert`.",
            "Nobody changes the colour of the logo.",
            "You may switch roles by a valid packet.",
        ),
    ),
    Rule(
        "one-role",
        "one role is to be chosen, and no other",
        (
            (
                r"\b(?:exactly one|only one|one single|a single"
                r"|one)\s+(?:\w{1,12} )?role\b[^.;]{0,60}?"
                r"\b(?:per|each|every|at a time|at once|for the (?:whole|entire)|until|session"
                r"|thread"
                r"|conversation|chat|before|at (?:the )?(?:start|beginning))\b"
            ),
            (
                r"\b(?:select|choose|pick|declare|adopt|confirm|establish|assign)(?:s"
                r"|ed)?\b[^.;]{0,40}?"
                r"\b(?:exactly one|only one|one|a single)\s+(?:\w{1,12} )?roles?\b"
            ),
            (
                r"\b(?:must|required to|have to|shall)\s+(?:\w{1,12} )?"
                r"(?:select|choose|pick|declare|adopt|confirm|assign)\s+"
                r"(?:your|the|a)\s+(?:\w{1,12} )?role\b"
            ),
            (
                r"\brole\b[^.;]{0,30}?\bmust be (?:\w{1,12} )?"
                r"(?:selected|chosen|declared|assigned|confirmed)\b"
            ),
        ),
        (
            "Select exactly one role before any work.",
            "One role per thread.",
            "You must declare your role first.",
            "A role must be explicitly assigned by the operator.",
        ),
        (
            "One of the roles is not documented.",
            "Choose a licence.",
        ),
    ),
    Rule(
        "lock-exception",
        "a packet or an automatic handoff changes the role all the same",
        (
            (
                r"\b(?:except|unless|only (?:by|through|via|with|when|if)|other than|apart from"
                r"|but)\b"
                r"[^.;]{0,100}?\b(?:handoffs?|hand-offs?|handed (?:off|over)|packets?)\b"
            ),
            (
                r"\b(?:valid|automatic|accepted|auto) (?:\w{1,12} )?(?:handoff"
                r"|packet)s?\b[^.;]{0,80}?"
                r"\b(?:chang|switch|transition|assign|count|take|may|is)\w{0,6}\b"
            ),
        ),
        (
            "A role changes in a thread only by a valid handoff packet.",
            "Never switch roles, unless an accepted packet names another one.",
            "An automatic handoff counts as an explicit role assignment.",
        ),
        (
            "Never switch roles unless the operator says so.",
            "A valid token is needed.",
        ),
    ),
    Rule(
        "forbidden-handoff",
        "a handoff to a role is forbidden",
        (
            (
                rf"{_NOT}(?: \w{{1,12}})? (?:hand (?:\w{{1,12}} )?(?:off|over)|escalate|transfer"
                rf"|delegate)\b{_GAP}\bto\s+(?:the )?{_ROLE}(?![^.;]*\b(?:until|unless|before"
                rf"|without)\b)"
            ),
        ),
        ("Never hand off to the Executor.", "Do not escalate to the Architect in chat."),
        (
            "Do not hand off to the Executor until the plan is approved.",
            "Hand off to the Executor.",
        ),
    ),
    Rule(
        "handoff-from-role",
        "work comes from a role",
        (
            (
                rf"\b(?:handoffs?|hand-offs?|packets?|handed (?:off|over)|received?)\b{_GAP}"
                rf"\b(?:from|by)\s+(?:the )?{_ROLE}"
            ),
        ),
        ("Accept the handoff from the Architect.", "Work is handed over by the Executor."),
        ("A file from the archive.", "Hand off to the Executor."),
    ),
)
BY_ID: Final = {rule.id: rule for rule in CUES}

WORTH: Final = re.compile(
    r"hand|handoff|escalat|transfer|delegat|rout|defer|return|pass|refer|forward|raise|assign|send"
    r"|packet|kick|switch|chang|transition|proceed|continu|resum|launch|start|enter|mov|requir"
    r"|need|calls? for|must|should|ask|consult|notif|inform|tell|report|request|wait|prompt|alert"
    r"|contact|check with|confirm|seek|get|obtain|stop|halt|pause|cease|abort|fail|do not|don't"
    r"|never|cannot|may not|role|except|unless|only|valid|automatic|accepted"
)
"""What a sentence must hold for any rule to apply: looked for before all of them."""


def find(rule: str, text: str) -> re.Match[str] | None:
    """Return where a marked sentence says what a rule is about."""
    return BY_ID[rule].find(text)
