/-
The judge inside Lean: `lean --run lean_judge.lean [FILE]`, one JSON object a line on stdin or in FILE.

The first line opens a session: {"nonce", "imports", "header", "heartbeats"}; it is answered when the
imports are loaded. Every further line is a job: {"nonce", "name", "statement", "candidate", "commands",
"deny"}, or {"nonce", "name", "statement", "vacuity": 1}. Every answer is one line, "NONCE {json}"; whatever else is
printed is not ours.

It reports facts and decides nothing: what the parser found, what Lean said, whether the kernel
accepts the proof's constants a second time in an environment that never saw the candidate's text,
whether the proved type is the trusted one, and which axioms the proof rests on.
Guaranteed: the trusted statement is elaborated by itself; a command is checked against `commands`
and `deny` before it is elaborated; the axioms are walked by this program over plain data, so that
nothing the candidate declares (macros, elaborators, attributes) is in the way.
Not guaranteed: that elaboration ends (the deadline is the other side's), nor anything about a
candidate that runs code of its own, which `commands` and `deny` are there to refuse.
-/
import Lean

open Lean Elab

namespace LeanJudge

/-- Every atom, identifier and node kind of a piece of syntax. -/
partial def words (stx : Syntax) (found : Array String) : Array String :=
  match stx with
  | .node _ kind args => args.foldl (fun found arg => words arg found) (found.push kind.toString)
  | .atom _ value => found.push value
  | .ident _ _ name _ => found.push name.toString
  | .missing => found

structure Rules where
  commands : Array String
  deny : Array String

/-- What of a command is not allowed; empty `commands` allow all. -/
def refused (rules : Rules) (stx : Syntax) : Array String := Id.run do
  let kind := stx.getKind.toString
  if !rules.commands.isEmpty && !rules.commands.contains kind then return #[kind]
  return (words stx #[]).filter fun word => rules.deny.contains word || rules.deny.contains (root word)
where
  root (word : String) : String := (word.splitOn ".").headD word

/-- Read and elaborate command after command; stops at the first one that is refused or not readable. -/
partial def commands (rules : Rules) : Frontend.FrontendM (Array String) := do
  Frontend.updateCmdPos
  let state ← Frontend.getCommandState
  let scope := state.scopes.head!
  let context : Parser.ParserModuleContext :=
    { env := state.env, options := scope.opts, currNamespace := scope.currNamespace, openDecls := scope.openDecls }
  let (stx, parser, messages) :=
    Parser.parseCommand (← Frontend.getInputContext) context (← Frontend.getParserState) state.messages
  Frontend.setParserState parser
  Frontend.setMessages messages
  if Parser.isTerminalCommand stx || messages.hasErrors then return #[]
  let found := refused rules stx
  if !found.isEmpty then return found
  Frontend.elabCommandAtFrontend stx
  commands rules

/-- Elaborate a text on top of a state. -/
def elaborate (state : Command.State) (text : String) (rules : Rules) : IO (Command.State × Array String) := do
  let parser : Parser.ModuleParserState := {}
  let start : Frontend.State := { commandState := { state with messages := {} }, parserState := parser, cmdPos := parser.pos }
  let (found, final) ← ((commands rules).run { inputCtx := Parser.mkInputContext text "<proof>" }).run start
  return (final.commandState, found)

def messageJson (message : Message) : IO Json := do
  let severity := match message.severity with
    | .error => "error"
    | .warning => "warning"
    | .information => "information"
  let text ← message.data.toString
  return Json.mkObj [("severity", severity), ("kind", message.kind.toString), ("line", toJson message.pos.line),
    ("text", toString (text.take 500))]

def messagesJson (log : MessageLog) : IO Json := do
  return Json.arr (← (log.toList.take 8).toArray.mapM messageJson)

def body? : ConstantInfo → Option Expr
  | .defnInfo value => some value.value
  | .thmInfo value => some value.value
  | .opaqueInfo value => some value.value
  | _ => none

/-- Constants that a constant uses. -/
def uses (info : ConstantInfo) : Array Name :=
  let others := match info, body? info with
    | .inductInfo value, _ => value.ctors.toArray
    | _, some value => value.getUsedConstants
    | _, none => #[]
  info.type.getUsedConstants ++ others

structure Walk where
  seen : NameSet := {}
  axioms : Array Name := #[]
  /-- Theorems and definitions of the library whose bodies this toolchain does not carry. -/
  bodiless : Array Name := #[]

/-- Follow a constant down to its axioms. The library's own constants come first: nothing can hide them. -/
partial def walk (base : Environment) (added : NameMap ConstantInfo) (name : Name) : StateM Walk Unit := do
  if (← get).seen.contains name then return
  modify fun s => { s with seen := s.seen.insert name }
  match base.constants.find? name with
  | some (.axiomInfo _) =>
    if getOriginalConstKind? base name matches some .axiom then
      modify fun s => { s with axioms := s.axioms.push name }
    else
      modify fun s => { s with bodiless := s.bodiless.push name }
  | some info => (uses info).forM (walk base added)
  | none =>
    match added.find? name with
    | some (.axiomInfo _) | none => modify fun s => { s with axioms := s.axioms.push name }
    | some info => (uses info).forM (walk base added)

/-- Constants of `env` that `base` does not have. -/
def addedTo (base env : Environment) : NameMap ConstantInfo :=
  env.constants.map₂.foldl (fun found name info => if base.constants.contains name then found else found.insert name info) {}

/-- Constants that `base` has under the same name, but that the candidate's environment holds differently. -/
def shadowed (base env : Environment) : Array Name :=
  env.constants.map₂.foldl (fun found name _ => if base.constants.contains name then found.push name else found) #[]

/-- Those of `added` that are reachable from a constant. -/
partial def reachable (added : NameMap ConstantInfo) (name : Name) (found : NameMap ConstantInfo) : NameMap ConstantInfo :=
  if found.contains name then found else
  match added.find? name with
  | none => found
  | some info => (uses info ++ family info).foldl (fun found name => reachable added name found) (found.insert name info)
where
  family (info : ConstantInfo) : Array Name := match info with
    | .ctorInfo value => #[value.induct]
    | .recInfo value => value.all.toArray
    | .inductInfo value => value.all.toArray ++ value.all.toArray.map (mkRecName ·)
    | _ => #[]

/-- Whether the kernel accepts the constants on top of the base; none, or what it says. -/
def kernelProblem (base : Environment) (constants : NameMap ConstantInfo) : IO (Option String) := do
  let table : Std.HashMap Name ConstantInfo := constants.foldl (fun table name info => table.insert name info) {}
  for (name, info) in table.toList do
    if info.isUnsafe || info.isPartial then return some s!"{name} is unsafe or partial"
  try
    let replay : IO Unit := by first  -- the type of the argument differs between versions of Lean
      | exact (do let _ ← Lean.Environment.replay table base; pure ())
      | exact (do let _ ← Lean.Environment.replay table base.toKernelEnv; pure ())
    replay
    return none
  catch problem => return some (toString problem)

/-- Whether two constants are the same to the kernel. -/
def same (one other : ConstantInfo) : Bool :=
  one.levelParams == other.levelParams && one.type == other.type &&
  body? one == body? other && uses one == uses other

/-- Whether everything that the trusted type mentions and the base lacks is the same in the candidate's environment. -/
def sameAuxiliaries (trusted candidate : NameMap ConstantInfo) (type : Expr) : Bool :=
  let reached := type.getUsedConstants.foldl (fun found name => reachable trusted name found) {}
  reached.foldl (fun good name info => good && match candidate.find? name with
    | some other => same info other
    | none => false) true

/-- Tries to prove False from the statement's hypotheses: the tactic that did, or none. -/
def vacuous (state : Command.State) (type : Expr) : IO (Option String) := do
  for tactic in ["contradiction", "omega", "simp_all", "decide"] do
    let text := s!"by intros; {tactic}"
    let attempt : MetaM Bool := Meta.forallTelescope type fun binders _ => do
      let props ← binders.filterM fun binder => do Meta.isProp (← Meta.inferType binder)
      if props.isEmpty then return false
      let goal ← Meta.mkForallFVars binders (mkConst ``False)
      let .ok stx := Parser.runParserCategory (← getEnv) `term text | return false
      let proof ← Term.TermElabM.run' <| Term.withoutErrToSorry <| Term.withSynthesize <| Term.elabTermEnsuringType stx goal
      let proof ← instantiateMVars proof
      return !proof.hasSorry && !proof.hasExprMVar
    let context : Core.Context :=
      { fileName := "<vacuity>", fileMap := default, options := state.scopes.head!.opts, maxHeartbeats := 20000 * 1000 }
    try
      let (yes, _) ← (attempt.run').toIO context { env := state.env }
      if yes then return some tactic
    catch _ => pure ()
  return none

def text (json : Json) (field : String) : String := (json.getObjValAs? String field).toOption.getD ""
def list (json : Json) (field : String) : Array String := (json.getObjValAs? (Array String) field).toOption.getD #[]
def number (json : Json) (field : String) : Nat := (json.getObjValAs? Nat field).toOption.getD 0
def nameList (names : Array Name) : Json := Json.arr (names.map fun name => Json.str name.toString)

/-- The facts of one job. -/
def facts (base : Command.State) (job : Json) : IO (List (String × Json)) := do
  let free : Rules := { commands := #[], deny := #[] }
  let name := base.scopes.head!.currNamespace ++ (text job "name").toName
  let (trusted, _) ← elaborate base s!"{text job "statement"} := sorry" free
  let some wanted := trusted.env.find? name
    | return [("stage", "statement"), ("messages", ← messagesJson trusted.messages)]
  if trusted.messages.hasErrors then
    return [("stage", "statement"), ("messages", ← messagesJson trusted.messages)]
  if (number job "vacuity") != 0 then
    return [("stage", "vacuity"), ("vacuous", toJson (← vacuous base wanted.type))]
  let (final, denied) ← elaborate base (text job "candidate") { commands := list job "commands", deny := list job "deny" }
  let said := [("messages", ← messagesJson final.messages), ("errors", toJson final.messages.hasErrors)]
  if !denied.isEmpty then return ("stage", "lint") :: ("denied", toJson denied) :: said
  if final.messages.hasErrors then return ("stage", "elaborate") :: said
  let some found := final.env.find? name | return ("stage", "absent") :: said
  let hidden := shadowed base.env final.env
  if !hidden.isEmpty then return ("stage", "shadowed") :: ("shadowed", nameList hidden) :: said
  let added := addedTo base.env final.env
  let theirs := addedTo base.env trusted.env
  let isTheorem := match found with | .thmInfo _ => true | _ => false
  let same := found.type == wanted.type && found.levelParams == wanted.levelParams &&
    sameAuxiliaries theirs added wanted.type
  let kernel ← kernelProblem base.env (reachable added name {})
  let (_, walked) := (walk base.env added name).run {}
  let proved : List (String × Json) :=
    [("stage", "done"), ("theorem", toJson isTheorem), ("same_statement", toJson same), ("kernel", toJson kernel),
      ("axioms", nameList walked.axioms), ("bodiless", toJson walked.bodiless.size),
      ("sorry", toJson (walked.axioms.contains ``sorryAx))]
  return proved ++ said

def answer (nonce : String) (fields : List (String × Json)) : IO Unit := do
  let out ← IO.getStdout
  out.putStrLn s!"\n{nonce} {(Json.mkObj fields).compress}"
  out.flush

partial def jobs (input : IO.FS.Stream) (base : Command.State) : IO Unit := do
  let line ← input.getLine
  if line.isEmpty then return
  let .ok job := Json.parse line | throw (IO.userError "a job that is not JSON")
  let found ← try facts base job catch problem => pure [("stage", "crash"), ("problem", Json.str (toString problem))]
  answer (text job "nonce") found
  jobs input base

/-- Load what the header imports, elaborate the rest of it. -/
unsafe def session (opening : Json) : IO Command.State := do
  enableInitializersExecution
  let imports := (list opening "imports").map fun name => ({ module := name.toName } : Import)
  let options : Options := Elab.async.set (maxHeartbeats.set {} (number opening "heartbeats")) false
  let env ← importModules imports options 0 (loadExts := true)
  let (state, _) ← elaborate (Command.mkState env {} options) (text opening "header") { commands := #[], deny := #[] }
  return state

/-- Reads from standard input, or from the file that is named. -/
unsafe def main (args : List String) : IO UInt32 := do
  let input ← match args with
    | path :: _ => do pure (IO.FS.Stream.ofHandle (← IO.FS.Handle.mk path .read))
    | [] => IO.getStdin
  let .ok opening := Json.parse (← input.getLine) | return 2
  let nonce := text opening "nonce"
  try
    let state ← session opening
    answer nonce [("stage", "ready"), ("version", Lean.versionString), ("githash", Lean.githash),
      ("messages", ← messagesJson state.messages), ("errors", toJson state.messages.hasErrors)]
    jobs input state
    return 0
  catch problem =>
    answer nonce [("stage", "failed"), ("problem", Json.str (toString problem))]
    return 1

end LeanJudge

unsafe def main (args : List String) : IO UInt32 := LeanJudge.main args
