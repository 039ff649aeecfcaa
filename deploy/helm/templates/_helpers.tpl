{{- define "sejam.name" -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "sejam.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sejam.podLabels" -}}
{{ include "sejam.labels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "sejam.podSettings" -}}
automountServiceAccountToken: false
# A Service called sejam would otherwise put its own SEJAM_PORT into every container.
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
# The master key may be open to nobody else, so that the group is put on the volume's root alone, when it is new.
securityContext: { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000, fsGroupChangePolicy: OnRootMismatch, seccompProfile: { type: RuntimeDefault } }
{{- end }}

{{- define "sejam.containerSettings" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
{{- end }}

{{- define "sejam.environment" -}}
EVENTSTORE_URL: {{ .Values.eventstoreUrl | quote }}
DATABASE_URL: {{ .Values.databaseUrl | quote }}
KAFKA_BROKERS: {{ .Values.kafkaBrokers | quote }}
SEJAM_MASTER_KEY_FILE: /run/sejam/state/master.key
SEJAM_CREDENTIALS_FILE: /run/sejam/state/credentials.json
{{- end }}

{{- define "sejam.mounts" -}}
- { name: addresses, mountPath: /run/sejam/addresses, readOnly: true }
- { name: state, mountPath: /run/sejam/state, readOnly: {{ .readOnly }} }
- { name: scratch, mountPath: /tmp }
{{- end }}

{{- define "sejam.volumes" -}}
- name: addresses
  secret: { secretName: {{ .Values.addressesSecret }}, defaultMode: 0440 }
- name: state
{{- if .Values.state.existingSecret }}
  secret: { secretName: {{ .Values.state.existingSecret }}, defaultMode: 0440 }
{{- else }}
  persistentVolumeClaim: { claimName: {{ include "sejam.name" . }}-state }
{{- end }}
- name: scratch
  emptyDir: {}
{{- end }}
