output "queue" {
  description = "Name of the queue."
  value       = aws_sqs_queue.inbox.name
}

output "queue_url" {
  description = "URL of the queue."
  value       = aws_sqs_queue.inbox.url
}

output "queue_arn" {
  description = "ARN of the queue."
  value       = aws_sqs_queue.inbox.arn
}

output "dead_letter_queue" {
  description = "Name of the dead letter queue."
  value       = aws_sqs_queue.dead_letters.name
}

output "dead_letter_queue_arn" {
  description = "ARN of the dead letter queue."
  value       = aws_sqs_queue.dead_letters.arn
}
