variable "queue" {
  description = "Name of the queue; <name>-dlq is its dead letter queue."
  type        = string
}

variable "visibility_timeout_s" {
  description = "Seconds for which a received message is hidden."
  type        = number
}

variable "policies" {
  description = "Folder of the policy texts."
  type        = string
}
