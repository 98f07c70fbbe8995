{{- define "stationgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for the longest suffix, "-delivery-admin", to fit into a name of 63. */}}
{{- define "stationgate.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else if contains (include "stationgate.name" .) .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "stationgate.name" .) | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "stationgate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "stationgate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "stationgate.labels" -}}
{{ include "stationgate.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "stationgate.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "stationgate.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "stationgate.secretName" -}}
{{- default (include "stationgate.fullname" .) .Values.secrets.existingSecret -}}
{{- end -}}

{{- define "stationgate.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}

{{/*
The workloads to make, as YAML: kind, component, name, roles and values of each. The delivery one takes from the gateway's
values what it doesn't give itself. It takes no events, so it has no spool.
*/}}
{{- define "stationgate.workloads" -}}
{{- $fullname := include "stationgate.fullname" . -}}
{{- $split := .Values.delivery.enabled -}}
workloads:
  - component: gateway
    kind: {{ ternary "StatefulSet" "Deployment" .Values.spool.enabled }}
    name: {{ $fullname }}
    roles: {{ ternary (list "ingest") (list "ingest" "delivery") $split | toJson }}
    values: {{ .Values.gateway | toJson }}
{{- if $split }}
  - component: delivery
    kind: Deployment
    name: {{ $fullname }}-delivery
    roles: ["delivery"]
    values: {{ mergeOverwrite (deepCopy .Values.gateway) (omit .Values.delivery "enabled") | toJson }}
{{- end }}
{{- end -}}

{{/* The key of a file in the ConfigMap: its name where Kubernetes allows that as a key. */}}
{{- define "stationgate.fileKey" -}}
{{- ternary . (printf "file-%s" (sha256sum .)) (regexMatch "^[-_a-zA-Z0-9][-._a-zA-Z0-9]{0,252}$" .) -}}
{{- end -}}

{{/* Not empty if the name of a file is not its key. Then the volume lists its files, and a further file replaces the pods. */}}
{{- define "stationgate.hasOddFile" -}}
{{- range $name, $_ := .Values.files -}}
{{- if ne $name (include "stationgate.fileKey" $name) }}odd{{ end -}}
{{- end -}}
{{- end -}}

{{/* The last peer port: each worker has one. The number of CPU cores is not known here, so `auto` gets 64 ports. */}}
{{- define "stationgate.lastPeerPort" -}}
{{- $workers := dig "server" "workers" 1 .Values.config -}}
{{- add 4445 (ternary 64 ($workers | toString | int) (eq ($workers | toString) "auto")) -}}
{{- end -}}

{{/* Environment variables, each value a text. */}}
{{- define "stationgate.env" -}}
{{- range . }}
{{- $variable := deepCopy . }}
{{- if hasKey $variable "value" }}
{{- $_ := set $variable "value" (ternary $variable.value (toJson $variable.value) (kindIs "string" $variable.value)) }}
{{- end }}
- {{ toJson $variable }}
{{- end }}
{{- end -}}

{{/* The settings of TLS of one port with the files of the Secret that cert-manager writes. */}}
{{- define "stationgate.tlsFiles" -}}
{{- $folder := printf "/etc/stationgate/tls/%s" .listener -}}
{{- $files := dict "cert" (printf "%s/tls.crt" $folder) "key" (printf "%s/tls.key" $folder) -}}
{{- if ne (default "none" .given.clientAuth) "none" -}}
{{- $_ := set $files "ca" (default (printf "%s/ca.crt" $folder) .given.ca) -}}
{{- end -}}
{{- toJson $files -}}
{{- end -}}

{{/* The settings file: the user's own, and what the pod knows better. */}}
{{- define "stationgate.config" -}}
{{- $given := deepCopy .Values.config -}}
{{- range $listener, $section := dict "public" "server" "admin" "admin" }}
{{- if (index $.Values.tls $listener).existingSecret }}
{{- $tls := dig $section "tls" dict $given | default dict }}
{{- $files := include "stationgate.tlsFiles" (dict "listener" $listener "given" $tls) | fromJson }}
{{- $given = mergeOverwrite $given (dict $section (dict "tls" $files)) }}
{{- end }}
{{- end }}
{{- $own := dict
  "server" (dict "host" "0.0.0.0" "port" 4444 "shutdownGrace" (printf "%vs" .Values.shutdown.graceSeconds))
  "admin" (dict "host" "0.0.0.0" "port" 4445)
  "broker" (dict "embedded" (dict "dir" "/data"))
  "reading" (dict "peer" (dict "port" 4446)) -}}
{{- if .Values.spool.enabled -}}
{{- $_ := set $own "spool" (dict "dir" "/spool") -}}
{{- end -}}
{{- toYaml (mergeOverwrite $given $own) -}}
{{- end -}}

{{/* http or https: what a port speaks. Its section of the settings is `server` or `admin`. */}}
{{- define "stationgate.scheme" -}}
{{- $config := include "stationgate.config" .context | fromYaml -}}
{{- ternary "https" "http" (not (empty (dig .section "tls" dict $config))) -}}
{{- end -}}

{{- define "stationgate.publicScheme" -}}
{{- include "stationgate.scheme" (dict "context" . "section" "server") -}}
{{- end -}}

{{- define "stationgate.adminScheme" -}}
{{- include "stationgate.scheme" (dict "context" . "section" "admin") -}}
{{- end -}}

{{/*
Everything in the values that a running gateway does not apply, as JSON. With `reload.watch: false` this is everything. Otherwise
it is the settings that need a restart (docs/guides/reload.md), and the files and secrets that such a setting names. A changed
`topic` of a declared station needs a restart too, but a new station with a topic does not; the chart can't tell them apart.
*/}}
{{- define "stationgate.needsRestart" -}}
{{- $config := include "stationgate.config" . | fromYaml -}}
{{- if eq (dig "reload" "watch" true $config) false -}}
{{- list $config .Values.files .Values.secrets | toJson -}}
{{- else -}}
{{- $kept := omit $config "auth" "cors" "limits" "restProxy" "autoCreateStations" "webhooks" "registry" "audit" "reload" "stations" "connectors" "admin" -}}
{{- $_ := set $kept "server" (omit $config.server "tls") -}}
{{- $_ := set $kept "delivery" (omit (dig "delivery" dict $config) "allowTargets" "configProviders") -}}
{{- $_ := set $kept "log" (omit (dig "log" dict $config) "level" "requests") -}}
{{- $text := toJson $kept -}}
{{- $named := dict -}}
{{- range $name, $content := .Values.files -}}
{{- if contains $name $text }}{{ $_ := set $named $name $content }}{{ end -}}
{{- end -}}
{{- range $name, $content := .Values.secrets.values -}}
{{- if contains (printf "/etc/stationgate/secrets/%s" $name) $text }}{{ $_ := set $named (printf "secrets/%s" $name) $content }}{{ end -}}
{{- end -}}
{{- list $kept $named (include "stationgate.publicScheme" .) (include "stationgate.adminScheme" .) | toJson -}}
{{- end -}}
{{- end -}}
